/**
 * The first program of "Building concurrent tasks using Asyncio": two tasks, on a loop that the program holds itself.
 *
 * It takes its loop from `asyncio.get_event_loop()`, which raises "There is no current event loop in thread 'MainThread'" since
 * Python 3.14. A program that wants a loop of its own makes one; most leave it to `run()`.
 */

import { EventLoop, gather, run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 prints this in 2 s; 3.14.2 does with `asyncio.run(main())` for the program's last two lines.
export const expected = ["Task 1 started", "Task 2 started", "Task 1 completed", "Task 2 completed"];
export const seconds = 2;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* task1() {
  console.log("Task 1 started");
  yield* sleep("1s");
  console.log("Task 1 completed");
}

function* task2() {
  console.log("Task 2 started");
  yield* sleep("2s");
  console.log("Task 2 completed");
}

export function* functionStar() {
  yield* gather(task1(), task2());
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function task1Async() {
  console.log("Task 1 started");
  await sleep("1s");
  console.log("Task 1 completed");
}

async function task2Async() {
  console.log("Task 2 started");
  await sleep("2s");
  console.log("Task 2 completed");
}

export async function asyncStyle() {
  await gather(task1Async, task2Async);
}

if (isMain(import.meta.url)) {
  const loop = new EventLoop();
  await loop.runUntilComplete(functionStar());
  loop.close();
  await run(asyncStyle);
}
