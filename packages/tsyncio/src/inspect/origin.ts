/** Debug mode's memory of where things were made. */

const origins = new WeakMap<object, Error>();

/** Frames kept per origin, as asyncio's debug mode. */
const DEPTH = 10;

/** Remembers the place that makes `made`; costs some microseconds, so in debug mode only. */
export function noteOrigin(made: object): void {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH + 6;
  origins.set(made, new Error());
  Error.stackTraceLimit = limit;
}

/** The place where it was made, as the first line of the stack outside of this library; undefined when it was not noted. */
export function originOf(made: object): string | undefined {
  const lines = origins.get(made)?.stack?.split("\n").slice(1) ?? [];
  return lines
    .find((line) => !isOurs(line))
    ?.trim()
    .replace(/^at /, "");
}

// This module's own folder is `…/inspect/`; the library is the folder above it.
const LIBRARY = new URL("..", import.meta.url).href.replace(/^file:\/\//, "");

/** Whether a line of a stack is of this library, or of nobody that could be named. */
export function isOurs(line: string): boolean {
  // Behind an `await` of Node's there is nobody to name.
  return (
    line.includes(LIBRARY) || /\bnode:internal/.test(line) || line.includes("(<anonymous>)") || line.includes("at new Promise")
  );
}
