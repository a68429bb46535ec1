/** Numbers as people read them. */

import type { Progress } from "tsyncio";

const BYTES = /^(?:b|bytes?)$/i;
const STEPS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;
/** From here on, a time to go tells nothing. */
const TOO_LONG = 100 * 86_400_000;

function short(value: number): string {
  return value >= 99.95 ? String(Math.round(value)) : String(Math.round(value * 10) / 10);
}

function count(value: number): string {
  if (value < 100_000) return String(Math.round(value * 100) / 100);
  return scaled(value).join("");
}

/** A number of at most four digits, and the letter for what it is multiplied with. */
function scaled(value: number): [number: string, letter: string] {
  // What would be rounded to 1000 belongs to the next one.
  for (const [step, letter] of STEPS) if (value >= step * 0.9995) return [short(value / step), letter];
  return [short(value), ""];
}

function bytes(value: number): string {
  const [number, letter] = scaled(value);
  return `${number} ${letter}B`;
}

/** `372/600 pages`, `1.2 MB`; empty where nothing was counted. */
export function formatCount({ done, total, unit }: Progress): string {
  if (done === 0 && total === undefined) return "";
  if (unit !== undefined && BYTES.test(unit)) return total === undefined ? bytes(done) : `${bytes(done)}/${bytes(total)}`;
  const numbers = total === undefined ? count(done) : `${count(done)}/${count(total)}`;
  return unit === undefined ? numbers : `${numbers} ${unit}`;
}

/** `48/s`, `1.2 MB/s`, `12/min`, `3/h`. */
export function formatRate({ rate, unit }: Progress): string {
  if (rate === undefined) return "";
  if (unit !== undefined && BYTES.test(unit)) return `${bytes(rate)}/s`;
  const [value, per] = rate >= 0.5 ? [rate, "s"] : rate * 60 >= 0.5 ? [rate * 60, "min"] : [rate * 3600, "h"];
  return value < 0.05 ? "" : `${scaled(value).join("")}/${per}`;
}

/** `62%`; 100% is for what is complete. Empty while unknown. */
export function formatPercent({ fraction }: Progress): string {
  return fraction === undefined ? "" : `${Math.floor(fraction * 100)}%`;
}

/** `0:07`, `12:34`, `1:02:03`, `3d 04:05`; empty where that is unknown, or further away than anybody knows. */
export function formatTime(milliseconds: number | undefined): string {
  if (milliseconds === undefined || milliseconds >= TOO_LONG) return "";
  const seconds = Math.ceil(milliseconds / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)}d ${two(hours % 24)}:${two(minutes % 60)}`;
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** How long something took: `0.3s`, `12.5s`, `2:05`. */
export function formatElapsed(milliseconds: number): string {
  return milliseconds < 60_000 ? `${(Math.floor(milliseconds / 100) / 10).toFixed(1)}s` : formatTime(milliseconds);
}
