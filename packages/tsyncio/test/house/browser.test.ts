import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle } from "./bundle.ts";

// The library as a page gets it: bundled, served on loopback, and run by a real Chromium. Where there is none (Debian:
// apt-get install chromium) the tests are skipped by name.

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) => existsSync(path));
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Runs in the page. Every spelling gives the same list of lines. */
const PROGRAM = `
import {
  BoundedSemaphore, CancelledError, createTask, currentTask, Event, ExceptionGroup, gather, getRunningLoop, isCancelled, Lock, Queue, QueueShutDown,
  run, sleep, taskGroup, TimeoutError, timeout,
} from "tsyncio";
import { explore, replay, runTest } from "tsyncio/testing";

/** An hour of virtual time, real waiting, and a schedule that is found, shrunk and had again. */
window.testing = async () => {
  const at = await runTest(function* (t) {
    yield* sleep("1h");
    yield* gather(fetch("/").then((response) => response.text()), sleep(0));
    return t.now();
  });
  const scenario = function* () {
    const order = [];
    function* mark(name) { yield* sleep(0); order.push(name); }
    yield* gather(mark("a"), mark("b"), mark("c"));
    if (order.join("") === "cab") throw new Error("found");
  };
  const found = await explore(scenario).catch((error) => error);
  const again = await replay(scenario, found.schedule).catch((error) => error);
  return [at, found.cause.message, found.schedule, again.cause.message];
};

function* functionStar(lines) {
  // gather keeps the order of its arguments, sleep that of the clock.
  function* nap(name, delay) {
    yield* sleep(delay);
    lines.push("nap " + name);
    return name;
  }
  lines.push((yield* gather(nap("long", 30), nap("short", 1), Promise.resolve("promise"))).join());
  try {
    yield* timeout("5ms", function* () { yield* sleep("1h"); });
  } catch (error) {
    lines.push("timeout " + (error instanceof TimeoutError));
  }
  try {
    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        try { yield* sleep("1h"); } catch (error) { lines.push("sibling " + isCancelled(error)); throw error; }
      });
      group.createTask(function* () { yield* sleep(1); throw new Error("boom"); });
    });
  } catch (error) {
    lines.push("group " + (error instanceof ExceptionGroup) + " " + error.errors.map((each) => each.message).join());
  }
  const lock = new Lock();
  let inside = 0;
  let most = 0;
  function* visit(name) {
    yield* lock.with(function* () {
      most = Math.max(most, ++inside);
      yield* sleep(1);
      inside--;
      lines.push("lock " + name);
    });
  }
  yield* gather(visit("a"), visit("b"), visit("c"));
  lines.push("most " + most);
  const queue = new Queue(1);
  const producer = createTask(function* () {
    for (const item of [1, 2, 3]) yield* queue.put(item);
    queue.shutdown();
  });
  let sum = 0;
  try { for (;;) sum += yield* queue.get(); } catch (error) { lines.push("queue " + (error instanceof QueueShutDown) + " " + sum); }
  yield* producer;
  const sleeper = createTask(function* () {
    try { yield* sleep("1h"); } finally { lines.push("cleanup"); }
  }, { name: "sleeper" });
  yield* sleep(1);
  sleeper.cancel("enough");
  try { yield* sleeper; } catch (error) { lines.push("cancelled " + error.message + " " + sleeper.cancelled()); }
  return "end";
}

async function asyncStyle(lines) {
  async function nap(name, delay) {
    await sleep(delay);
    lines.push("nap " + name);
    return name;
  }
  lines.push((await gather(() => nap("long", 30), () => nap("short", 1), Promise.resolve("promise"))).join());
  try {
    await timeout("5ms", () => sleep("1h"));
  } catch (error) {
    lines.push("timeout " + (error instanceof TimeoutError));
  }
  try {
    await taskGroup(async (group) => {
      group.createTask(function* () {
        try { yield* sleep("1h"); } catch (error) { lines.push("sibling " + isCancelled(error)); throw error; }
      });
      group.createTask(async () => { await sleep(1); throw new Error("boom"); });
    });
  } catch (error) {
    lines.push("group " + (error instanceof ExceptionGroup) + " " + error.errors.map((each) => each.message).join());
  }
  const lock = new Lock();
  let inside = 0;
  let most = 0;
  async function visit(name) {
    await lock.with(async () => {
      most = Math.max(most, ++inside);
      await sleep(1);
      inside--;
      lines.push("lock " + name);
    });
  }
  await gather(() => visit("a"), () => visit("b"), () => visit("c"));
  lines.push("most " + most);
  const queue = new Queue(1);
  const producer = createTask(async () => {
    for (const item of [1, 2, 3]) await queue.put(item);
    queue.shutdown();
  });
  let sum = 0;
  try { for (;;) sum += await queue.get(); } catch (error) { lines.push("queue " + (error instanceof QueueShutDown) + " " + sum); }
  await producer;
  // Without AsyncLocalStorage an async function's own waits cannot be found; the operation itself is the task.
  const sleeper = createTask(function* () {
    try { yield* sleep("1h"); } finally { lines.push("cleanup"); }
  }, { name: "sleeper" });
  await sleep(1);
  sleeper.cancel("enough");
  try { await sleeper; } catch (error) { lines.push("cancelled " + error.message + " " + sleeper.cancelled()); }
  return "end";
}

window.both = async () => {
  const star = [];
  const plain = [];
  star.push(await run(() => functionStar(star)));
  plain.push(await run(() => asyncStyle(plain)));
  return { star, plain };
};

/** What comes first: 5 ms of the page's own timer, or the end of a coroutine that never stops being ready? */
window.beside = () => run(function* () {
  let fired = false;
  setTimeout(() => { fired = true; }, 5);
  let turns = 0;
  while (!fired && turns < 5_000_000) {
    turns++;
    yield* sleep(0);
  }
  return { fired, turns };
});

/** The order of turns is asyncio's here as well. */
window.order = () => run(function* () {
  const order = [];
  function* three(name) {
    for (let turn = 1; turn <= 3; turn++) { order.push(name + turn); yield* sleep(0); }
  }
  yield* gather(three("a"), three("b"));
  return order.join(" ");
});

window.failing = async () => {
  const task = createTask(function* () { yield* sleep(1); throw new Error("seen"); });
  try { await task; } catch (error) { return error.message + " " + currentTask() + " " + typeof CancelledError; }
};

window.sameLoop = () => run(async () => {
  const loop = getRunningLoop();
  const event = new Event();
  const wait = () => createTask(function* () { yield* event.wait(); });
  const first = wait();
  await sleep(1);
  const second = wait();
  await sleep(1);
  event.set();
  await first;
  await second;
  return getRunningLoop() === loop && second.getLoop() === loop;
});

window.outside = async () => {
  const event = new Event();
  setTimeout(() => event.set(), 1);
  const seats = new BoundedSemaphore(1);
  await seats.acquire();
  return [await event.wait(), seats.locked()];
};
`;

const LINES = [
  "nap short",
  "nap long",
  "long,short,promise",
  "timeout true",
  "sibling true",
  "group true boom",
  "lock a",
  "lock b",
  "lock c",
  "most 1",
  "queue true 6",
  "cleanup",
  "cancelled enough true",
  "end",
];

describe.skipIf(CHROMIUM === undefined)("a page in Chromium", () => {
  let profile: string;
  let server: Server;
  let browser: BrowserContext;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    const script = await bundle(PROGRAM);
    server = createServer((request, response) => {
      const isScript = request.url === "/program.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(
        isScript ? script : `<!doctype html><link rel="icon" href="data:,"><script type="module" src="/program.js"></script>`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    profile = await mkdtemp(join(tmpdir(), "tsyncio-chromium-"));
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM as string,
      headless: true,
      args: FLAGS,
    });
    page = browser.pages()[0] ?? (await browser.newPage());
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction("window.outside !== undefined");
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  });

  test("run(), gives the same lines in both spellings, as in Node [real]", async () => {
    const { star, plain } = (await page.evaluate("window.both()")) as { star: string[]; plain: string[] };

    expect(star).toEqual(LINES);
    expect(plain).toEqual(LINES);
  });

  test("the loop, runs tasks in turns, when all are ready [real]", async () => {
    expect(await page.evaluate("window.order()")).toBe("a1 b1 a2 b2 a3 b3");
  });

  test("the loop, lets a timer of the page fire, while a coroutine is always ready [real]", async () => {
    const { fired, turns } = (await page.evaluate("window.beside()")) as { fired: boolean; turns: number };

    expect(fired).toBe(true);
    expect(turns).toBeGreaterThan(1);
  });

  test("an async function, stays on the loop of run(), after an await [real]", async () => {
    expect(await page.evaluate("window.sameLoop()")).toBe(true);
  });

  test("createTask(), outside of run(), hands its error to whoever awaits [real]", async () => {
    expect(await page.evaluate("window.failing()")).toBe("seen null function");
  });

  test("operations, can be awaited outside of any task [real]", async () => {
    expect(await page.evaluate("window.outside()")).toEqual([true, true]);
  });

  test("the testing kit, jumps, waits for real I/O, finds a schedule and has it again [real]", async () => {
    const [at, found, schedule, again] = (await page.evaluate("window.testing()")) as unknown[];

    expect([at, found, again]).toEqual([3_600_000, "found", "found"]);
    expect(schedule).toMatch(/^ts1\.1!\d+:2~$/);
  });

  test("the page, had nothing to complain of, at the end [real]", () => {
    expect(complaints).toEqual([]);
  });
});
