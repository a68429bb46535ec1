/** Which tasks are shown, and how they are called. */

import type { Progress } from "tsyncio";
import { plain } from "./text.ts";

export interface Row {
  readonly progress: Progress;
  readonly depth: number;
}

/** A name that nobody has given. */
const UNNAMED = /^Task-\d+$/;

/**
 * The rows for so many lines: parents before their children, and where there is not room for all, those further up in the tree first.
 *
 * @returns the rows from top to bottom, and how many were left out.
 */
export function rowsOf(trees: readonly Progress[], limit: number): { rows: Row[]; left: number } {
  // Level by level, as long as there is room.
  const taken = new Set<Progress>();
  let level = trees.map(essence);
  let count = 0;
  while (level.length > 0) {
    count += level.length;
    for (const each of level) if (taken.size < limit) taken.add(each);
    level = level.flatMap((each) => each.children.map(essence));
  }
  if (count > limit && limit > 0) {
    // The last line says how many there are besides.
    const last = [...taken].at(-1) as Progress;
    taken.delete(last);
  }
  const rows: Row[] = [];
  const stack = trees.map((each) => ({ progress: essence(each), depth: 0 })).reverse();
  for (let row = stack.pop(); row !== undefined; row = stack.pop()) {
    const { progress, depth } = row;
    if (!taken.has(progress)) continue;
    rows.push(row);
    for (const child of [...progress.children].reverse()) stack.push({ progress: essence(child), depth: depth + 1 });
  }
  return { rows, left: count - rows.length };
}

/** A task that only stands for its one child, which says the same, is not shown: the child is. */
export function essence(given: Progress): Progress {
  let progress = given;
  for (;;) {
    const [child, ...others] = progress.children;
    if (child === undefined || others.length > 0 || progress.message !== undefined) return progress;
    const { done, total, unit } = progress;
    if (child.id === progress.id || child.done !== done || child.total !== total || child.unit !== unit) return progress;
    progress = child;
  }
}

/** What a row is called by: its name, if somebody gave it, and its message. */
export function labelOf({ name, message }: Progress): { name: string; message: string } {
  const text = plain(message ?? "").trim();
  const called = plain(name).trim();
  if (text !== "" && (UNNAMED.test(called) || called === text)) return { name: text, message: "" };
  return { name: called, message: text };
}
