/** The first program of the asyncio overview: two greetings side by side. */

import { gather, run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print this in 2 s.
export const expected = ["Hello, Alice!", "Hello, Bob!", "Goodbye, Alice!", "Goodbye, Bob!"];
export const seconds = 2;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* greet(name: string) {
  console.log(`Hello, ${name}!`);
  yield* sleep("2s");
  console.log(`Goodbye, ${name}!`);
}

export function* functionStar() {
  yield* gather(greet("Alice"), greet("Bob"));
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function greetAsync(name: string) {
  console.log(`Hello, ${name}!`);
  await sleep("2s");
  console.log(`Goodbye, ${name}!`);
}

export async function asyncStyle() {
  await gather(
    () => greetAsync("Alice"),
    () => greetAsync("Bob"),
  );
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
