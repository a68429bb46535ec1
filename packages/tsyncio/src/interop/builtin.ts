/** Node's own modules, reached without importing them: a page that uses the portable half of this folder loads none. */

import { RuntimeError } from "../base/errors.ts";

interface Modules {
  "node:events": typeof import("node:events");
  "node:fs/promises": typeof import("node:fs/promises");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
  "node:stream": typeof import("node:stream");
  "node:url": typeof import("node:url");
  "node:worker_threads": typeof import("node:worker_threads");
}

/** A module of Node, Bun or Deno; throws where there is none. `user` is the function that needs it. */
export function builtin<K extends keyof Modules>(id: K, user: string): Modules[K] {
  const found = optionalBuiltin(id);
  if (found !== undefined) return found;
  throw new RuntimeError(`Cannot use ${user}() here: it needs ${id}; run it in Node, Bun or Deno`, "NEEDS_NODE");
}

function optionalBuiltin<K extends keyof Modules>(id: K): Modules[K] | undefined {
  return globalThis.process?.getBuiltinModule?.(id) as Modules[K] | undefined;
}

/** Whether anybody listens for a signal's abortion; undefined where the platform cannot tell. */
export function isHeard(signal: AbortSignal): boolean | undefined {
  const events = optionalBuiltin("node:events");
  return events && events.getEventListeners(signal, "abort").length > 0;
}

/** Allows any number of listeners to a signal of ours: Node 20 warns from the eleventh on. */
export function manyListeners(signal: AbortSignal): AbortSignal {
  optionalBuiltin("node:events")?.setMaxListeners(0, signal);
  return signal;
}
