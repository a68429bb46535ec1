/** The second program of the asyncio overview: one coroutine, run as the whole program. */

import { run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print this in 1 s.
export const expected = ["Hello!", "Finished!"];
export const seconds = 1;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export function* functionStar() {
  console.log("Hello!");
  yield* sleep("1s");
  console.log("Finished!");
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export async function asyncStyle() {
  console.log("Hello!");
  await sleep("1s");
  console.log("Finished!");
}

if (isMain(import.meta.url)) {
  await run(functionStar());
  await run(asyncStyle);
}
