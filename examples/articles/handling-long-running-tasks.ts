/**
 * The program of "Handling long-running tasks with Asyncio": a task of ten seconds, and the loop closed by hand.
 *
 * The article closes the loop inside of the coroutine that the loop runs. CPython refuses that, and so does tsyncio; both
 * close the loop by themselves at the end of `run()`.
 */

import { createTask, getRunningLoop, run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print nothing on stdout and end after 10 s with the traceback of
// "RuntimeError: Cannot close a running event loop". Here the error is caught, and its kind printed.
export const expected = ["RuntimeError"];
export const seconds = 10;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* myLongRunningTask() {
  yield* sleep("10s");
}

export function* functionStar() {
  const loop = getRunningLoop();
  const task = loop.createTask(myLongRunningTask());
  yield* task;
  try {
    loop.close();
  } catch (error) {
    console.log((error as Error).name);
  }
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function myLongRunningTaskAsync() {
  await sleep("10s");
}

export async function asyncStyle() {
  const task = createTask(myLongRunningTaskAsync);
  await task;
  try {
    getRunningLoop().close();
  } catch (error) {
    console.log((error as Error).name);
  }
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
