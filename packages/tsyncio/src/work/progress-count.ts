/** How many items an iterable has; by itself, so that who counts items needs nothing else of progress. */

import type { ItemCount } from "../kernel/progress.ts";

/** How many items there are, as far as can be known without iterating; undefined otherwise. */
export function countOf(items: unknown): number | undefined {
  // The length of a string is not the number of its characters.
  if (typeof items !== "object" || items === null) return undefined;
  const { length, size } = items as { length?: unknown; size?: unknown };
  const count = length ?? size;
  return typeof count === "number" && Number.isInteger(count) && count >= 0 ? count : undefined;
}

/** For `current._progress?.opened()`: items of which each is worked on by a child task. `_done` and, in the end, `_over` are to be kept up to date. */
export function itemsInTasks(items: unknown): ItemCount {
  return { _done: 0, _total: countOf(items), _inTasks: true, _over: false, _added: false };
}
