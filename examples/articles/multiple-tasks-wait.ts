/**
 * The second program of "Handling and managing multiple tasks with Asyncio": the same two tasks, by `wait`.
 *
 * As printed, the program ends in an IndentationError (its last loop has a comment for a body); with a body, in a TypeError, as
 * `asyncio.wait` takes no coroutines since Python 3.11. Here `wait` takes them, and does what the article means.
 */

import { run, sleep, wait } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print this after 3 s, when the coroutines are wrapped by `create_task`, the tasks return "one" and
// "two", and the loop prints `task.result()` in order of the tasks' names (a Python set has no order of its own), after
// `print(len(done), "done,", len(pending), "pending")`.
export const expected = ["2 done, 0 pending", "one", "two"];
export const seconds = 3;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* taskOne() {
  yield* sleep("2s");
  return "one";
}

function* taskTwo() {
  yield* sleep("3s");
  return "two";
}

export function* functionStar() {
  const tasks = [taskOne(), taskTwo()];
  const { done, pending } = yield* wait(tasks);
  console.log(`${done.size} done, ${pending.size} pending`);
  for (const task of done) console.log(task.result());
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function taskOneAsync() {
  await sleep("2s");
  return "one";
}

async function taskTwoAsync() {
  await sleep("3s");
  return "two";
}

export async function asyncStyle() {
  const { done, pending } = await wait([taskOneAsync, taskTwoAsync]);
  console.log(`${done.size} done, ${pending.size} pending`);
  for (const task of done) console.log(task.result());
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
