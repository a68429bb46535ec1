/** Durations: a number is milliseconds, a string carries its unit. Used by everything that takes a delay or a deadline. */

import { show } from "./errors.ts";

/** The time that never comes. */
export const NEVER: number = Infinity;

/** A length of time: a number of milliseconds, or a string with its unit such as `"250ms"`, `"1.5s"`, `"2m"`, `"1h"`, `"1d"`. */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

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
  let value: unknown = duration;
  if (typeof duration === "string") {
    const unit = duration.slice(duration.endsWith("ms") ? -2 : -1);
    const amount = duration.slice(0, -unit.length);
    // A blank amount would be 0.
    value = amount.trim() === "" ? Number.NaN : Number(amount) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
  }
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  const Class = typeof value === "number" ? RangeError : TypeError;
  throw new Class(`Expected \`${name}\` in milliseconds or like "1.5s", got ${show(duration)}`);
}

/** As {@link milliseconds}, where undefined and null mean never (`Infinity`). */
export function millisecondsOrNever(duration: Duration | undefined | null, name = "timeout"): number {
  return duration === undefined || duration === null ? NEVER : milliseconds(duration, name);
}
