/** Durations: a number is milliseconds, a string carries its unit. Used by everything that takes a delay or a deadline. */

import { show } from "./errors.ts";

/** A length of time: a number of milliseconds, or a string with its unit such as `"250ms"`, `"1.5s"`, `"2m"`, `"1h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(ms|s|m|h|d)$/i;

/**
 * Converts a duration to milliseconds. `Infinity` stays as it is and means never; negative values stay negative.
 *
 * @param duration - Milliseconds, or a string with one of the units ms, s, m, h, d.
 * @param name - The parameter's name, for the error message.
 * @throws {RangeError} when it is NaN or a string of another form.
 * @throws {TypeError} when it is neither a number nor a string.
 *
 * **Suspends** never.
 *
 * @example
 * ```ts
 * milliseconds("1.5s"); // => 1500
 * ```
 */
export function milliseconds(duration: Duration, name = "duration"): number {
  if (typeof duration === "number") {
    if (Number.isNaN(duration)) {
      throw new RangeError(`Expected \`${name}\` to be a number of milliseconds, got NaN; check the arithmetic that made it`);
    }
    return duration;
  }
  if (typeof duration === "string") {
    const match = FORM.exec(duration);
    if (match !== null) {
      const unit = (match[2] as string).toLowerCase() as keyof typeof MILLISECONDS;
      return Number(match[1]) * MILLISECONDS[unit];
    }
    throw new RangeError(`Expected \`${name}\` like "250ms", "1.5s", "2m", "1h" or "1d", got ${show(duration)}`);
  }
  throw new TypeError(`Expected \`${name}\` to be a number of milliseconds or a string such as "1.5s", got ${show(duration)}`);
}

/** As {@link milliseconds}, where undefined and null mean never (`Infinity`). */
export function millisecondsOrNever(duration: Duration | undefined | null, name = "timeout"): number {
  return duration === undefined || duration === null ? Number.POSITIVE_INFINITY : milliseconds(duration, name);
}
