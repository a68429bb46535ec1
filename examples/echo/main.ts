// The command: a server, or a client that says what stands on the command line.

import type { Coroutine } from "tsyncio";
import { addressOption, parseCommandLine, UsageError } from "../shared/command-line.ts";
import { mainProgram } from "../shared/main-program.ts";
import { serveUntilInterrupted } from "../shared/serve.ts";
import { say } from "./client.ts";
import { startEchoServer } from "./server.ts";

const USAGE = `Usage: node examples/dist/echo/main.js serve [host:]port
       node examples/dist/echo/main.js say [host:]port line...

Port 0 takes one that is free. Ctrl-C ends the server, once its clients have finished.
Exit status: 0 it went well, or the server was stopped · 1 no connection · 2 wrong usage
`;

await mainProgram(
  USAGE,
  (args) => {
    const { values, positionals } = parseCommandLine(args, { help: { type: "boolean" } });
    if (values.help) return "help";
    const [command, address, ...lines] = positionals;
    if (command === "serve" && address !== undefined && lines.length === 0) return serve(address);
    if (command === "say" && address !== undefined && lines.length > 0) return talk(address, lines);
    throw new UsageError(`Expected "serve", or "say", with an address, got "${positionals.join(" ")}"`);
  },
  0,
);

function* serve(address: string): Coroutine<number> {
  const { host, port } = addressOption("the address", address);
  yield* serveUntilInterrupted(yield* startEchoServer(host, port), console.log);
  return 0;
}

function* talk(address: string, lines: readonly string[]): Coroutine<number> {
  const { host, port } = addressOption("the address", address, 1);
  for (const answer of yield* say(host, port, lines)) console.log(answer);
  return 0;
}
