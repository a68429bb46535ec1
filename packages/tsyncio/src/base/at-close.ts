/** What is to be done when something closes, by those that rest on it and that it does not know: sockets on a loop. */

const callbacks = new WeakMap<object, Set<() => void>>();

/** Calls back when something closes; returns what takes that back. */
export function atClose(owner: object, callback: () => void): () => void {
  const known = callbacks.get(owner) ?? new Set();
  callbacks.set(owner, known.add(callback));
  return () => void known.delete(callback);
}

/** It closes: calls back all, in the order in which they came. */
export function closed(owner: object): void {
  const known = callbacks.get(owner);
  callbacks.delete(owner);
  for (const callback of known ?? []) callback();
}
