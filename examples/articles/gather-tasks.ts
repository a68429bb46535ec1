/** The third program of the asyncio overview: of two tasks, the one that starts second ends first. */

import { gather, run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print this in 2 s.
export const expected = ["Task one starting...", "Task two starting...", "Task two completed!", "Task one completed!"];
export const seconds = 2;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* taskOne() {
  console.log("Task one starting...");
  yield* sleep("2s");
  console.log("Task one completed!");
}

function* taskTwo() {
  console.log("Task two starting...");
  yield* sleep("1s");
  console.log("Task two completed!");
}

export function* functionStar() {
  yield* gather(taskOne(), taskTwo());
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function taskOneAsync() {
  console.log("Task one starting...");
  await sleep("2s");
  console.log("Task one completed!");
}

async function taskTwoAsync() {
  console.log("Task two starting...");
  await sleep("1s");
  console.log("Task two completed!");
}

export async function asyncStyle() {
  await gather(taskOneAsync, taskTwoAsync);
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
