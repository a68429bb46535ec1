// The command: forwards a port.

import type { Coroutine } from "tsyncio";
import {
  addressOption,
  countOption,
  durationOption,
  parseCommandLine,
  sizeOption,
  UsageError,
} from "../shared/command-line.ts";
import { mainProgram } from "../shared/main-program.ts";
import { serveUntilInterrupted } from "../shared/serve.ts";
import { type ForwardSettings, startForwarder, type Totals } from "./forward.ts";

const USAGE = `Usage: node examples/dist/forward/main.js [options] [host:]port target-host:target-port

Takes TCP connections, and carries them on to the target.

  --connections <n>     at a time; more wait until one ends (1000)
  --connect <duration>  how long the target may take to answer (5s)
  --idle <duration>     ends a connection on which nothing has come for so long (never)
  --rate <size>         bytes per second, for each direction of each connection (any number)
  --quiet               says nothing of connections that fail
  --help                this text

Durations: 250ms, 1.5s, 2m. Sizes: 500kb, 2mb.
Exit status: 0 stopped by Ctrl-C · 1 the port is taken · 2 wrong usage
`;

const OPTIONS = {
  connections: { type: "string" },
  connect: { type: "string" },
  idle: { type: "string" },
  rate: { type: "string" },
  quiet: { type: "boolean", default: false },
  help: { type: "boolean" },
} as const;

await mainProgram(
  USAGE,
  (args) => {
    const { values, positionals } = parseCommandLine(args, OPTIONS);
    if (values.help) return "help";
    const [from, to, ...others] = positionals;
    if (from === undefined || to === undefined || others.length > 0) {
      throw new UsageError(`Expected two addresses, got "${positionals.join(" ")}"`);
    }
    const target = addressOption("the target", to, 1);
    return forward(addressOption("the address", from), values.quiet ? () => {} : console.error, {
      targetHost: target.host,
      targetPort: target.port,
      connections: countOption("connections", values.connections, 1) ?? 1000,
      connect: durationOption("connect", values.connect) ?? 5000,
      idle: durationOption("idle", values.idle) ?? Number.POSITIVE_INFINITY,
      rate: sizeOption("rate", values.rate) ?? Number.POSITIVE_INFINITY,
    });
  },
  0,
);

function* forward(
  { host, port }: { host: string; port: number },
  log: (line: string) => void,
  settings: ForwardSettings,
): Coroutine<number> {
  const totals: Totals = { up: 0, down: 0, served: 0, failed: 0 };
  try {
    yield* serveUntilInterrupted(yield* startForwarder(host, port, settings, totals, log), console.log);
  } finally {
    const { served, failed, up, down } = totals;
    console.log(`${served} connections served, ${failed} failed; ${up} bytes up, ${down} bytes down`);
  }
  return 0;
}
