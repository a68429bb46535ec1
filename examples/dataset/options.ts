// The command line.

import { countOption, durationOption, parseCommandLine, sizeOption, UsageError } from "../shared/command-line.ts";

/** What a run may take. */
export interface Settings {
  /** Files that are open at a time. */
  open: number;
  /** Files that are under way at a time; those that are not open wait for their turn. The walk goes no further ahead. */
  ahead: number;
  /** Bytes of files that are held at a time. */
  memory: number;
  /** Milliseconds; Infinity for none. */
  deadline: number;
}

export interface Options extends Settings {
  /** Undefined: the packages of this repository. */
  folder: string | undefined;
  json: boolean;
  quiet: boolean;
  check: boolean;
}

export const DEFAULTS: Settings = { open: 16, ahead: 128, memory: 16 * 1024 ** 2, deadline: Number.POSITIVE_INFINITY };

export const USAGE = `Usage: node examples/dist/dataset/main.js [options] [folder]

Reads the package.json and .js files (.mjs, .cjs) of a folder, and says how much there is, by package,
licence and dependency. Without a folder it reads this repository's node_modules.

  --open <n>             files that are open at a time (${DEFAULTS.open})
  --ahead <n>            files that are under way at a time (${DEFAULTS.ahead})
  --memory <size>        how much of them is held at a time (16mb)
  --deadline <duration>  ends the run and reports what is known by then (none)
  --check                reads all again by a plain sequential program, and compares
  --json                 the report as JSON
  --quiet                no progress
  --help                 this text

Durations: 250ms, 1.5s, 2m, 1h, or milliseconds. Sizes: 500kb, 2mb, or bytes.
Exit status: 0 all was read · 1 not in time, or the check failed · 2 wrong usage · 130 Ctrl-C
`;

/**
 * @returns "help" when only the usage is asked for.
 * @throws {UsageError} that says which option, what was found and what was expected.
 */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values, positionals } = parseCommandLine(args, OPTIONS);
  if (values.help) return "help";
  if (positionals.length > 1) throw new UsageError(`Expected one folder, got ${positionals.length}: ${positionals.join(" ")}`);
  const options = {
    folder: positionals[0],
    open: countOption("open", values.open, 1) ?? DEFAULTS.open,
    ahead: countOption("ahead", values.ahead, 1) ?? DEFAULTS.ahead,
    memory: sizeOption("memory", values.memory) ?? DEFAULTS.memory,
    deadline: durationOption("deadline", values.deadline) ?? DEFAULTS.deadline,
    json: values.json,
    quiet: values.quiet,
    check: values.check,
  };
  if (options.ahead < options.open) {
    throw new UsageError(
      `Expected --ahead to be at least --open, got ${options.ahead} and ${options.open}: so many files are never open`,
    );
  }
  return options;
}

const OPTIONS = {
  open: { type: "string" },
  ahead: { type: "string" },
  memory: { type: "string" },
  deadline: { type: "string" },
  check: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  quiet: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;
