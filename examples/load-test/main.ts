// The command: loads a web server for a while, and draws how long it took.

import type { Coroutine } from "tsyncio";
import { countOption, durationOption, parseCommandLine, UsageError } from "../shared/command-line.ts";
import { mainProgram } from "../shared/main-program.ts";
import { type LoadSettings, loadTest } from "./load-test.ts";
import { report } from "./report.ts";

const USAGE = `Usage: node examples/dist/load-test/main.js [options] url

Sends requests to a web server, one after the other on each connection, and draws how long they took.

  --connections <n>      at a time (10)
  --duration <duration>  how long (10s)
  --timeout <duration>   the longest time for a request (10s)
  --method <name>        GET by default; POST where there is a body
  --header <name:value>  may be given several times
  --body <text>          what is sent
  --help                 this text

Exit status: 0 all were answered · 1 some were not · 2 wrong usage · 130 Ctrl-C
`;

const OPTIONS = {
  connections: { type: "string" },
  duration: { type: "string" },
  timeout: { type: "string" },
  method: { type: "string" },
  header: { type: "string", multiple: true },
  body: { type: "string" },
  help: { type: "boolean" },
} as const;

await mainProgram(USAGE, (args) => {
  const { values, positionals } = parseCommandLine(args, OPTIONS);
  if (values.help) return "help";
  const [address, ...others] = positionals;
  if (address === undefined || others.length > 0 || !/^https?:\/\//.test(address) || !URL.canParse(address)) {
    throw new UsageError(`Expected a URL such as http://127.0.0.1:8080/, got "${positionals.join(" ")}"`);
  }
  return load({
    url: new URL(address),
    connections: countOption("connections", values.connections, 1) ?? 10,
    duration: durationOption("duration", values.duration) ?? 10_000,
    timeout: durationOption("timeout", values.timeout) ?? 10_000,
    method: values.method ?? (values.body === undefined ? "GET" : "POST"),
    headers: Object.fromEntries((values.header ?? []).map(header)),
    body: values.body,
  });
});

function header(text: string): [string, string] {
  const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new UsageError(`Expected --header to be like name:value, got "${text}"`);
  return [name, value];
}

function* load(settings: LoadSettings): Coroutine<number> {
  const result = yield* loadTest(settings);
  console.log(report(settings, result));
  return result.errors.size === 0 ? 0 : 1;
}
