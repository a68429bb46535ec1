/** What `showProgress` takes, and what that comes to. */

import { type Duration, Task } from "tsyncio";
import { canDraw, type Environment, type OutputStream, wantsAscii, wantsColor } from "./stream.ts";

/** Options of `showProgress`. */
export interface ShowOptions {
  /** Where to: `process.stderr` by default, so that the program's own output can be piped away. */
  readonly stream?: OutputStream | undefined;
  /** `"bars"` are drawn over, `"lines"` come one after the other. `"auto"` (default): bars on a terminal that is not CI's. */
  readonly mode?: "auto" | "bars" | "lines" | undefined;
  /** The least time between two frames, or two lines about the same task, ≥ 0: `"100ms"` by default for bars, `"5s"` for lines. */
  readonly interval?: Duration | undefined;
  /** At most so many lines at a time, an integer ≥ 1; by default as many as the terminal has for bars, and 10 for lines. */
  readonly maxLines?: number | undefined;
  /** At most so many columns, an integer ≥ 1; by default as many as the terminal has. */
  readonly width?: number | undefined;
  /** Only ASCII characters; by default where the terminal is known to have no others, or TSYNCIO_ASCII=1. */
  readonly ascii?: boolean | undefined;
  /** Colours; by default on a terminal, unless NO_COLOR is set. Lines have none. */
  readonly color?: boolean | undefined;
  /** Whether bars are taken away in the end. False by default: the last state is left. */
  readonly clear?: boolean | undefined;
  /** Only this task and what is below it; by default all tasks. */
  readonly task?: Task<unknown> | undefined;
}

/** What shows progress until it is stopped. */
export interface Display {
  stop(): void;
}

export interface Settings {
  readonly stream: OutputStream;
  readonly draws: boolean;
  /** In milliseconds. */
  readonly interval: number;
  readonly maxLines: number;
  readonly width: number;
  readonly ascii: boolean;
  readonly color: boolean;
  readonly clear: boolean;
  readonly task: Task<unknown> | undefined;
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @throws {TypeError} or {RangeError} when an option is not what it should be. */
export function settingsOf(options: ShowOptions, environment: Environment, platform: string): Settings {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Expected options such as { mode: "lines" }, got ${String(options)}`);
  }
  const { stream = process.stderr, mode = "auto", maxLines, width, clear = false, task } = options;
  if (typeof stream?.write !== "function")
    throw new TypeError("Expected `stream` to be a writable stream; leave it out for process.stderr");
  if (mode !== "auto" && mode !== "bars" && mode !== "lines") {
    throw new RangeError(`Expected \`mode\` to be "auto", "bars" or "lines", got ${JSON.stringify(mode)}`);
  }
  for (const name of ["ascii", "color", "clear"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean")
      throw new TypeError(`Expected \`${name}\` to be true or false, got ${String(value)}`);
  }
  checkSize("maxLines", maxLines);
  checkSize("width", width);
  if (task !== undefined && !(task instanceof Task)) throw new TypeError("Expected `task` to be a Task");
  const draws = mode === "bars" || (mode === "auto" && canDraw(stream, environment));
  return {
    stream,
    draws,
    interval: intervalOf(options.interval ?? (draws ? 100 : "5s")),
    maxLines: maxLines ?? (draws ? Number.POSITIVE_INFINITY : 10),
    width: width ?? Number.POSITIVE_INFINITY,
    ascii: options.ascii ?? wantsAscii(environment, platform),
    color: options.color ?? wantsColor(stream, environment),
    clear,
    task,
  };
}

function checkSize(name: string, value: unknown): void {
  if (value === undefined || value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && (value as number) >= 1)) return;
  throw new (typeof value === "number" ? RangeError : TypeError)(
    `Expected \`${name}\` to be an integer ≥ 1, got ${String(value)}`,
  );
}

function intervalOf(duration: Duration): number {
  let value: unknown = duration;
  if (typeof duration === "string") {
    const [, amount, unit] = /^\s*([0-9.]+)(ms|s|m|h|d)$/.exec(duration) ?? [];
    value = unit === undefined ? Number.NaN : Number(amount) * UNITS[unit as keyof typeof UNITS];
  }
  if (typeof value === "number" && value >= 0) return value;
  throw new RangeError(`Expected \`interval\` in milliseconds or like "5s", and not below 0, got ${String(duration)}`);
}
