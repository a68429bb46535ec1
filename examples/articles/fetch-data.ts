/**
 * The program of the article on managing asynchronous tasks and event loops: two downloads (played by `sleep`) at once.
 */

import { createTask, gather, run, sleep } from "tsyncio";
import { isMain } from "./is-main.ts";

// CPython 3.11.7 and 3.14.2 print this in 1 s.
export const expected = [
  "Fetching data from https://example.com",
  "Fetching data from https://example.org",
  "Data fetched from https://example.com",
  "Data fetched from https://example.org",
];
export const seconds = 1;

// ── function* ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function* fetchData(url: string) {
  console.log(`Fetching data from ${url}`);
  yield* sleep("1s");
  console.log(`Data fetched from ${url}`);
}

export function* functionStar() {
  const task1 = createTask(fetchData("https://example.com"));
  const task2 = createTask(fetchData("https://example.org"));
  yield* gather(task1, task2);
}

// ── async ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function fetchDataAsync(url: string) {
  console.log(`Fetching data from ${url}`);
  await sleep("1s");
  console.log(`Data fetched from ${url}`);
}

export async function asyncStyle() {
  const task1 = createTask(() => fetchDataAsync("https://example.com"));
  const task2 = createTask(() => fetchDataAsync("https://example.org"));
  await gather(task1, task2);
}

if (isMain(import.meta.url)) {
  await run(functionStar);
  await run(asyncStyle);
}
