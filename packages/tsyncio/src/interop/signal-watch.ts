/** Listening to AbortSignals: one listener for each signal, however many wait for it; none when nobody does. */

import { unexpected } from "../base/errors.ts";
import { type Linked, LinkedList } from "../base/linked-list.ts";

class Watcher implements Linked<Watcher> {
  declare _previous: Watcher | null;
  declare _next: Watcher | null;
  declare _aborted: (() => void) | null;

  constructor(aborted: () => void) {
    this._previous = null;
    this._next = null;
    this._aborted = aborted;
  }
}

const watched = new WeakMap<AbortSignal, LinkedList<Watcher>>();

/** Called by the platform with the signal as target: one function for all signals, so that none is held by its listener. */
function tell(event: { readonly target: unknown }): void {
  const signal = event.target as AbortSignal;
  const watchers = watched.get(signal);
  watched.delete(signal);
  signal.removeEventListener("abort", tell as never);
  for (let each = watchers?.first ?? null; each !== null; each = each._next) {
    const aborted = each._aborted;
    each._aborted = null;
    aborted?.();
  }
}

/**
 * Calls back once when the signal is aborted, in order of arrival; at once, if it is. Returns how to stop watching.
 *
 * The callback must not throw.
 */
export function watchSignal(signal: AbortSignal, aborted: () => void): () => void {
  if (signal.aborted) {
    aborted();
    return () => {};
  }
  let watchers = watched.get(signal);
  if (watchers === undefined) {
    watchers = new LinkedList<Watcher>();
    watched.set(signal, watchers);
    signal.addEventListener("abort", tell as never);
  }
  const line = watchers;
  const watcher = new Watcher(aborted);
  line.push(watcher);
  return () => {
    // RACE  1. the signal is aborted, which ends the whole line   2. one of it is cancelled, and leaves   3. a new line is there.
    //       test: "fromSignal() leaves the line of others alone, when it is cancelled right after the abortion"
    if (watcher._aborted === null) return;
    watcher._aborted = null;
    if (watched.get(signal) !== line) return;
    line.remove(watcher);
    if (line.length > 0) return;
    watched.delete(signal);
    signal.removeEventListener("abort", tell as never);
  };
}

/** Refuses what is no AbortSignal. Those of other realms are taken, so it is the shape that counts. */
export function checkSignal(signal: unknown, name: string): void {
  const shape = signal as Partial<AbortSignal> | null | undefined;
  if (typeof shape?.aborted === "boolean" && typeof shape.addEventListener === "function") return;
  throw unexpected(`\`signal\` of ${name}() to be an AbortSignal`, signal, "pass controller.signal, for instance");
}

/** Whether an error tells of an abortion that was asked for: ours, or the platform's. */
export function isAbortion(error: unknown): boolean {
  const { name } = (error ?? {}) as { name?: unknown };
  return name === "AbortError" || name === "CancelledError";
}
