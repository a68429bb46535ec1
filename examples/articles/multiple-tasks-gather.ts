/**
 * The first program of "Handling and managing multiple tasks with Asyncio": two tasks side by side, by `gather`.
 */

import { gather, run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// The article leaves the results open ("# Return the result", "# Process the results"), so its program prints nothing. With
// `return "one"`, `return "two"` and `print(*results)` in these places, CPython 3.11.7 and 3.14.2 print, after 3 s:
export const expected = ["one two"];
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
  const results = yield* gather(taskOne(), taskTwo());
  console.log(results.join(" "));
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
  const results = await gather(taskOneAsync, taskTwoAsync);
  console.log(results.join(" "));
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
