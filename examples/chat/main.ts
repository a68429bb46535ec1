// The command: a chat server; talk to it by telnet or nc.

import type { Coroutine } from "tsyncio";
import { startServer } from "tsyncio/net";
import { addressOption, countOption, parseCommandLine, sizeOption, UsageError } from "../shared/command-line.ts";
import { mainProgram } from "../shared/main-program.ts";
import { serveUntilInterrupted } from "../shared/serve.ts";
import { Hall } from "./hall.ts";
import { type ChatSettings, serveClient } from "./serve.ts";

const USAGE = `Usage: node examples/dist/chat/main.js [options] [host:]port

A chat server with rooms. Clients are telnet or nc: /help tells them what they can do. One that does not
take what it is told is evicted, so that it holds up nobody.

  --patience <n>   lines that may wait for a client (100)
  --line <size>    the longest line (4kb)
  --help           this text

Exit status: 0 stopped by Ctrl-C · 1 the port is taken · 2 wrong usage
`;

const OPTIONS = { patience: { type: "string" }, line: { type: "string" }, help: { type: "boolean" } } as const;

await mainProgram(
  USAGE,
  (args) => {
    const { values, positionals } = parseCommandLine(args, OPTIONS);
    if (values.help) return "help";
    const [address, ...others] = positionals;
    if (address === undefined || others.length > 0)
      throw new UsageError(`Expected one address, got "${positionals.join(" ")}"`);
    return serve(address, {
      patience: countOption("patience", values.patience, 1) ?? 100,
      line: sizeOption("line", values.line) ?? 4096,
    });
  },
  0,
);

function* serve(address: string, settings: ChatSettings): Coroutine<number> {
  const { host, port } = addressOption("the address", address);
  const hall = new Hall();
  const server = yield* startServer((streams) => serveClient(streams, hall, settings), host, port, { limit: settings.line });
  yield* serveUntilInterrupted(server, console.log);
  return 0;
}
