/**
 * The second program of "Building concurrent tasks using Asyncio": a lock around a shared resource.
 */

import { gather, Lock, run } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 prints this; 3.14.2 does with `asyncio.run(main())` for the program's last two lines, which raise there (see
// concurrent-tasks.ts). Nobody ever waits: the first task runs to its end before the second begins.
export const expected = [
  "Task started",
  "Accessing shared resource",
  "Task completed",
  "Task started",
  "Accessing shared resource",
  "Task completed",
];
export const seconds = 0;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* task(lock: Lock) {
  console.log("Task started");
  yield* lock.with(() => {
    console.log("Accessing shared resource");
  });
  console.log("Task completed");
}

export function* functionStar() {
  const lock = new Lock();
  yield* gather(task(lock), task(lock));
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function taskAsync(lock: Lock) {
  console.log("Task started");
  await lock.with(() => {
    console.log("Accessing shared resource");
  });
  console.log("Task completed");
}

export async function asyncStyle() {
  const lock = new Lock();
  await gather(
    () => taskAsync(lock),
    () => taskAsync(lock),
  );
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
