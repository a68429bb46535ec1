/** The answer to "what is everything waiting for?", as text. */

import { DeadlockError } from "../base/errors.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Task } from "../kernel/task.ts";

/** One line per task that waits: its name, what it waits for, and who must act before that can end. */
function waitLines(loop: EventLoop): string[] {
  const lines: string[] = [];
  for (const task of tasksOf(loop)) {
    const waits = task._waits();
    const what = waits.length === 0 ? "nothing: it is ready" : [...new Set(waits.map((each) => each.describe()))].join(" and ");
    const holders = [...new Set(waits.flatMap((each) => [...(each.holders?.() ?? [])]))]
      .filter((each) => isTask(each) && !what.includes(each.name))
      .map((each) => each.name);
    const by = holders.length === 0 ? "" : ` → ${holders.join(", ")}`;
    const origin = task._origin();
    lines.push(`${task.name} waits for ${what}${by}${origin === undefined ? "" : ` (created at ${origin})`}`);
  }
  return lines;
}

/** The tasks that a user knows, which are not done. */
function tasksOf(loop: EventLoop): Task<unknown>[] {
  return [...loop._tasks].filter((task) => task._self() === task);
}

/** Among the children of a gather there may be plain futures. */
function isTask(future: { readonly name?: string }): boolean {
  return future.name !== undefined;
}

/** A ring of tasks each of which waits for the next, if there is one. */
function findCycle(loop: EventLoop): Task<unknown>[] | null {
  const settled = new Set<Task<unknown>>();
  for (const start of tasksOf(loop)) {
    // Depth first, without recursion: a chain of waits may be longer than the stack.
    const path: Task<unknown>[] = [];
    const onPath = new Set<Task<unknown>>();
    const stack: { task: Task<unknown>; next: Task<unknown>[] }[] = [];
    const enter = (task: Task<unknown>): void => {
      path.push(task);
      onPath.add(task);
      stack.push({ task, next: nextTasks(task) });
    };
    if (!settled.has(start)) enter(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { task: Task<unknown>; next: Task<unknown>[] };
      const next = top.next.shift();
      if (next === undefined) {
        settled.add(top.task);
        onPath.delete(top.task);
        path.pop();
        stack.pop();
      } else if (onPath.has(next)) return path.slice(path.indexOf(next));
      else if (!settled.has(next)) enter(next);
    }
  }
  return null;
}

function nextTasks(task: Task<unknown>): Task<unknown>[] {
  return task
    ._waits()
    .flatMap((each) => [...(each.holders?.() ?? [])])
    .filter((each) => isTask(each) && !each.done());
}

/** The error for a program that can never go on. */
export function deadlock(loop: EventLoop): DeadlockError {
  const waiting = waitLines(loop);
  const cycle = findCycle(loop);
  const ring = cycle === null ? "" : `\n  cycle: ${[...cycle, cycle[0] as Task<unknown>].map((each) => each.name).join(" → ")}`;
  const count = waiting.length === 1 ? "1 task waits" : `${waiting.length} tasks wait`;
  return new DeadlockError(
    `nothing can ever run again (no timer, no I/O, nothing ready), yet ${count}:${waiting.map((each) => `\n  ${each}`).join("")}${ring}`,
    waiting,
  );
}
