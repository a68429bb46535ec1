/** The fourth program of the asyncio overview: a job that takes longer than it may. */

import { run, sleep, TimeoutError, waitFor } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print this after 2 s.
export const expected = ["Task timed out!"];
export const seconds = 2;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* longRunningTask() {
  yield* sleep("5s");
  return "Task Completed";
}

export function* functionStar() {
  try {
    const result = yield* waitFor(longRunningTask(), "2s");
    console.log(result);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log("Task timed out!");
  }
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function longRunningTaskAsync() {
  await sleep("5s");
  return "Task Completed";
}

export async function asyncStyle() {
  try {
    const result = await waitFor(longRunningTaskAsync, "2s");
    console.log(result);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    console.log("Task timed out!");
  }
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
