// The command line.

import { countOption, durationOption, parseCommandLine, sizeOption, UsageError } from "../shared/command-line.ts";
import { type AuditSettings, DEFAULTS, DEMO_DEFAULTS } from "./settings.ts";

export interface Options extends AuditSettings {
  /** A URL or a folder; undefined for the demo site. */
  target: string | undefined;
  /** Where the JSON report goes. */
  json: string;
  quiet: boolean;
}

export const USAGE = `Usage: npm start -- [options] [url or folder]

Audits a web site: crawls it from the start address, checks every link and asset, and reports what is
broken, redirected, slow, oversized, malformed, flaky or there twice. Without an address it audits a
faulty demo site that it serves itself, and tells whether it found exactly the faults planted there.

  --concurrency <n>      requests in flight at the same time (${DEFAULTS.concurrency})
  --timeout <duration>   longest time for one request (10s; demo 2.5s)
  --retries <n>          further attempts after a failure that may pass (${DEFAULTS.retries})
  --deadline <duration>  longest time for the whole run (10m)
  --slow <duration>      a page that takes longer is slow (1s; demo 800ms)
  --max-size <size>      an answer that is larger is oversized (2mb)
  --max-pages <n>        follow the links of this many pages (${DEFAULTS.maxPages})
  --external             request links that leave the site as well (HEAD)
  --json <file>          where to write the JSON report (site-audit-report.json)
  --quiet                no progress and no table, only the summary
  --help                 this text

Durations: 250ms, 1.5s, 2m, 1h, or milliseconds. Sizes: 500kb, 2mb, or bytes.
Exit status: 0 nothing broken · 1 broken links, or not finished in time · 2 wrong usage · 130 Ctrl-C
`;

/**
 * @returns "help" when only the usage is asked for.
 * @throws {UsageError} that says which option, what was found and what was expected.
 */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values, positionals } = parseCommandLine(args, OPTIONS);
  if (values.help) return "help";
  if (positionals.length > 1) {
    throw new UsageError(`Expected one URL or folder, got ${positionals.length}: ${positionals.join(" ")}`);
  }
  const target = positionals[0];
  const defaults = target === undefined ? DEMO_DEFAULTS : DEFAULTS;
  const options: Options = {
    target,
    concurrency: countOption("concurrency", values.concurrency, 1) ?? defaults.concurrency,
    timeout: durationOption("timeout", values.timeout) ?? defaults.timeout,
    retries: countOption("retries", values.retries, 0) ?? defaults.retries,
    deadline: durationOption("deadline", values.deadline) ?? defaults.deadline,
    slow: durationOption("slow", values.slow) ?? defaults.slow,
    maxSize: sizeOption("max-size", values["max-size"]) ?? defaults.maxSize,
    maxPages: countOption("max-pages", values["max-pages"], 1) ?? defaults.maxPages,
    external: values.external,
    json: values.json,
    quiet: values.quiet,
  };
  if (target === undefined && options.external) {
    throw new UsageError("Cannot use --external with the demo: it contacts nothing but this machine; name a URL");
  }
  if (options.slow >= options.timeout) {
    throw new UsageError(
      `Expected --slow to be below --timeout, got ${options.slow} ms and ${options.timeout} ms: no page could be slow`,
    );
  }
  return options;
}

const OPTIONS = {
  concurrency: { type: "string" },
  timeout: { type: "string" },
  retries: { type: "string" },
  deadline: { type: "string" },
  slow: { type: "string" },
  "max-size": { type: "string" },
  "max-pages": { type: "string" },
  external: { type: "boolean", default: false },
  json: { type: "string", default: "site-audit-report.json" },
  quiet: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;
