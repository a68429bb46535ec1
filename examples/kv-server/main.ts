// The command: a key-value server that Redis' own clients can talk to.

import { type Coroutine, Event, race } from "tsyncio";
import { addressOption, countOption, durationOption, parseCommandLine, UsageError } from "../shared/command-line.ts";
import { mainProgram } from "../shared/main-program.ts";
import { serveUntilInterrupted } from "../shared/serve.ts";
import { type KvSettings, startKvServer } from "./kv-server.ts";

const USAGE = `Usage: node examples/dist/kv-server/main.js [options] [[host:]port]

A key-value server in memory that speaks the protocol of Redis (RESP2): redis-cli and redis-benchmark can talk to it.

  --clients <n>      at a time; more wait until one leaves (10000)
  --idle <duration>  disconnects a client that sends nothing for so long (never)
  --help             this text

The port is 6379 by default.
Exit status: 0 stopped by Ctrl-C or SHUTDOWN · 1 the port is taken · 2 wrong usage
`;

const OPTIONS = { clients: { type: "string" }, idle: { type: "string" }, help: { type: "boolean" } } as const;

await mainProgram(
  USAGE,
  (args) => {
    const { values, positionals } = parseCommandLine(args, OPTIONS);
    if (values.help) return "help";
    const [address = "6379", ...others] = positionals;
    if (others.length > 0) throw new UsageError(`Expected one address, got "${positionals.join(" ")}"`);
    return serve(address, {
      clients: countOption("clients", values.clients, 1) ?? 10_000,
      idle: durationOption("idle", values.idle) ?? Number.POSITIVE_INFINITY,
    });
  },
  0,
);

function* serve(address: string, settings: KvSettings): Coroutine<number> {
  const { host, port } = addressOption("the address", address);
  const stop = new Event();
  const server = yield* startKvServer(host, port, settings, () => stop.set());
  yield* race([serveUntilInterrupted(server, console.log), stop.wait()]);
  return 0;
}
