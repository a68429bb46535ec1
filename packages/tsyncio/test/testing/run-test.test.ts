/** runTest(): virtual time, real waiting, and what a test must not leave behind. */

import { execFile } from "node:child_process";
import { pbkdf2 } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { gzip } from "node:zlib";
import {
  BoundedSemaphore,
  type Coroutine,
  createTask,
  currentTask,
  DeadlockError,
  Event,
  ensureFuture,
  Future,
  gather,
  getRunningLoop,
  isCancelled,
  Lock,
  Queue,
  shielded,
  sleep,
  type Task,
  TimeoutError,
  timeout,
  waitFor,
} from "tsyncio";
import { openConnection } from "tsyncio/net";
import { createSubprocessExec } from "tsyncio/subprocess";
import { ProblemError, runTest } from "tsyncio/testing";
import { describe, expect, test, vi } from "vitest";

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

/** The codes of the problems that a test ends with. */
async function problemsOf(body: Parameters<typeof runTest>[0]): Promise<string[]> {
  const error = await failureOf(runTest(body));
  expect(error).toBeInstanceOf(ProblemError);
  return (error as ProblemError).problems.map((each) => each.code);
}

describe("time", () => {
  test("runTest(), lets an hour pass at once, for a function* and for an async function", async () => {
    function* coroutine(): Coroutine<string> {
      yield* sleep("1h");
      return "slept";
    }

    expect(await runTest(coroutine)).toBe("slept");
    expect(await runTest(async (t) => [await sleep("1h", "slept"), t.now()])).toEqual(["slept", 3_600_000]);
  });

  test("context.advance(), returns when all that is due has happened, that much later", async () => {
    const seen = await runTest(function* (t) {
      const log: string[] = [];
      const task = createTask(function* () {
        for (let i = 0; i < 5; i++) {
          yield* sleep(10);
          yield* sleep(0);
          log.push(`${i} at ${t.now()}`);
        }
      });
      yield* t.advance(20);
      log.push(`advanced to ${t.now()}`);
      yield* task;
      return log;
    });

    expect(seen).toEqual(["0 at 10", "1 at 20", "advanced to 20", "2 at 30", "3 at 40", "4 at 50"]);
  });

  test("context.settle(), returns when all others wait, and no time has passed", async () => {
    const seen = await runTest(async (t) => {
      const queue = new Queue<number>(1);
      const log: string[] = [];
      const task = createTask(async () => {
        for (let i = 0; i < 3; i++) await queue.put(i);
        log.push("never before it is asked for");
      });
      await t.settle();
      log.push(`settled with ${queue.qsize()} at ${t.now()}`);
      await queue.get();
      await queue.get();
      await task;
      return log;
    });

    expect(seen).toEqual(["settled with 1 at 0", "never before it is asked for"]);
  });

  test("runTest(), fails with TimeoutError, when virtual time runs over its limit", async () => {
    function* heartbeat(): Coroutine<void> {
      for (;;) yield* sleep("1s");
    }

    expect(await failureOf(runTest(heartbeat, { timeout: "1m" }))).toBeInstanceOf(TimeoutError);
  });

  test("runTest(), fails with NO_PROGRESS, when it takes more steps than allowed", async () => {
    function* spin(): Coroutine<void> {
      for (;;) yield* sleep(0);
    }

    expect(await failureOf(runTest(spin, { maxSteps: 1000 }))).toMatchObject({ code: "NO_PROGRESS" });
  });
});

describe("the real world", () => {
  /** Waits for something real while another task sleeps an hour; returns the virtual time at which it came. */
  const timeOf = (work: () => Promise<unknown>): Promise<number> =>
    runTest(
      async (t) => {
        const sleeper = createTask(sleep("1h"));
        await work();
        const at = t.now();
        await sleeper;
        expect(t.now()).toBe(3_600_000);
        return at;
      },
      { realTimeout: "15s" },
    );

  test.each([
    ["a file", () => readFile(new URL(import.meta.url))],
    ["a process", () => promisify(execFile)(process.execPath, ["--version"])],
    ["a thread of the pool", () => promisify(pbkdf2)("secret", "salt", 20_000, 32, "sha256")],
    ["a compressor", () => promisify(gzip)("text")],
    ["a worker", () => new Promise((resolve) => new Worker("0", { eval: true }).once("exit", resolve))],
    ["a native timer", () => new Promise((resolve) => setTimeout(resolve, 20))],
  ])("runTest(), does not let the clock jump, while %s is under way [real]", async (_, work) => {
    expect(await timeOf(work)).toBe(0);
  });

  test("runTest(), does not let the clock jump, while a request to a server is under way, and does behind it [real]", async () => {
    const server = createServer((_, response) => void setTimeout(() => response.end("hello"), 20));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = server.address() as AddressInfo;
      // The connection is kept alive by fetch, which must not keep the clock from jumping.
      expect(await timeOf(async () => (await fetch(`http://127.0.0.1:${port}`)).text())).toBe(0);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test("runTest(), does not let the clock jump, while a promise inside of gather() rests on real I/O [real]", async () => {
    const at = await runTest(function* (t) {
      const sleeper = createTask(sleep("1h"));
      yield* gather(ensureFuture(readFile(new URL(import.meta.url))), sleep(0));
      const time = t.now();
      yield* sleeper;
      return time;
    });

    expect(at).toBe(0);
  });

  test("runTest(), does not let the clock jump, while a plain Future is to be set by a callback of real I/O [real]", async () => {
    const at = await runTest(function* (t) {
      const sleeper = createTask(sleep("1h"));
      const done = new Future<void>();
      execFile(process.execPath, ["--version"], () => done.setResult());
      yield* done;
      const time = t.now();
      yield* sleeper;
      return time;
    });

    expect(at).toBe(0);
  });

  test("runTest(), lets the clock jump past a promise that rests on nothing: a mock that never answers", async () => {
    const error = await failureOf(runTest(() => waitFor(new Promise(() => {}), "30s")));

    expect(error).toBeInstanceOf(TimeoutError);
  });

  test("runTest(), fails and says who waits, when something outside takes too long [real]", async () => {
    const timer = setTimeout(() => {}, 60_000);
    const server = createServer();
    const body = async (): Promise<void> => {
      await new Promise((resolve) => server.listen(0, "127.0.0.1", () => undefined).once("close", resolve));
    };
    try {
      const error = await failureOf(runTest(body, { realTimeout: 50 }));
      expect(error).toMatchObject({
        code: "WAITS_FOR_OUTSIDE",
        message: expect.stringContaining("waiting for promises: main"),
      });
    } finally {
      clearTimeout(timer);
      server.close();
    }
  });

  test("runTest(), lets real I/O happen, while tasks pass turns without end", async () => {
    const turns = await runTest(function* () {
      let read = false;
      let count = 0;
      void readFile(new URL(import.meta.url)).then(() => {
        read = true;
      });
      for (; !read; count++) yield* sleep(0);
      return count;
    });

    expect(turns).toBeGreaterThan(0);
  });

  test("runTest(), works with fake global timers of a test runner", async () => {
    vi.useFakeTimers();
    try {
      expect(await runTest(sleepsAndReads)).toBe(3_600_000);
    } finally {
      vi.useRealTimers();
    }
    async function sleepsAndReads(t: { now(): number }): Promise<number> {
      await readFile(new URL(import.meta.url));
      await sleep("1h");
      return t.now();
    }
  });
});

describe("what is left behind", () => {
  test("runTest(), fails, when a task is left running, and names it and what it waits for", async () => {
    const error = await failureOf(
      runTest(function* () {
        createTask(sleep(10), { name: "background" });
        yield* sleep(1);
      }),
    );

    expect(error).toMatchObject({ name: "ProblemError", code: "LEFT_RUNNING" });
    expect(String(error)).toContain('Task "background", which waits for sleep of 10 ms,');
  });

  test("runTest(), fails, when an async function is left behind that nobody awaits", async () => {
    const heartbeat = async (): Promise<void> => {
      for (;;) await sleep(10);
    };
    const error = await failureOf(
      runTest(async () => {
        void heartbeat();
        await sleep(25);
      }),
    );

    expect(error).toMatchObject({ code: "LEFT_RUNNING", problems: [expect.anything()] });
    expect(String(error)).toContain("An async function that nobody awaits, and which waits for sleep of 10 ms,");
  });

  test("runTest(), cancels what is left running, and waits for its cleanup", async () => {
    const log: string[] = [];
    const body = function* (): Coroutine<void> {
      createTask(function* () {
        try {
          yield* sleep(10);
        } finally {
          yield* sleep(5);
          log.push("cleaned up");
        }
      });
      yield* sleep(1);
    };

    await failureOf(runTest(body));

    expect(log).toEqual(["cleaned up"]);
  });

  test("runTest(), fails, when nobody has looked at an error", async () => {
    expect(
      await problemsOf(function* () {
        createTask(function* () {
          throw new Error("lost");
        });
        yield* sleep(1);
      }),
    ).toEqual(["UNHANDLED"]);
  });

  test("runTest(), fails, when a callback throws", async () => {
    expect(
      await problemsOf(async () => {
        getRunningLoop().callSoon(() => {
          throw new Error("in a callback");
        });
        await sleep(1);
      }),
    ).toEqual(["UNHANDLED"]);
  });

  test.each([
    [
      "function*",
      function* (): Coroutine<void> {
        try {
          yield* sleep(5);
        } catch {}
      },
    ],
    [
      "async",
      async (): Promise<void> => {
        try {
          await sleep(5);
        } catch {}
      },
    ],
  ])("runTest(), fails, when a cancellation was swallowed, %s", async (_, careless) => {
    expect(
      await problemsOf(function* () {
        const task = createTask(careless);
        yield* sleep(1);
        yield* task.cancelAndWait();
      }),
    ).toEqual(["SWALLOWED_CANCELLATION"]);
  });

  test("runTest(), takes no cancellation for swallowed, when it is taken back or rethrown", async () => {
    await runTest(function* () {
      const taken = createTask(function* (): Coroutine<string> {
        try {
          yield* sleep(5);
          return "";
        } catch (error) {
          if (!isCancelled(error)) throw error;
          taken.uncancel();
          return "taken back";
        }
      });
      const shielding = createTask(shielded(() => sleep(5)));
      yield* sleep(1);
      taken.cancel();
      shielding.cancel();
      expect(yield* taken).toBe("taken back");
      yield* shielding.join();
      expect(shielding.cancelled()).toBe(true);
    });
  });

  test("runTest(), takes no cancellation for swallowed, when it was overtaken by the error of what was awaited", async () => {
    await runTest(function* () {
      const failing = new Future<void>();
      const careful = createTask(function* (): Coroutine<string> {
        try {
          yield* gather(failing, sleep(5));
          return "";
        } catch (error) {
          // The error is on its way when the cancellation is requested: that is what is thrown, as in asyncio.
          return String(error);
        }
      });
      yield* sleep(0);
      failing.setException(new RangeError("mine"));
      careful.cancel();
      expect(yield* careful).toBe("RangeError: mine");
    });
  });

  test("runTest(), fails, when a cancellation was swallowed that a foreign API answered with an AbortError", async () => {
    expect(
      await problemsOf(async () => {
        const task = createTask(async () => {
          const { signal } = currentTask() as Task<unknown>;
          await new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
          }).catch(() => "ignored");
        });
        await sleep(1);
        await task.cancelAndWait();
      }),
    ).toEqual(["SWALLOWED_CANCELLATION"]);
  });

  test("runTest(), fails, when a lock is left held, and names it and its holder", async () => {
    const error = await failureOf(
      runTest(function* () {
        yield* new Lock({ name: "db" }).acquire();
      }),
    );

    expect(error).toMatchObject({ code: "HELD_LOCK", message: expect.stringContaining("Lock 'db' held by main") });
  });

  test("runTest(), fails, when a permit of a BoundedSemaphore is missing", async () => {
    const body = async (): Promise<void> => {
      await new BoundedSemaphore(2, { name: "pool" }).acquire();
    };

    expect(await failureOf(runTest(body))).toMatchObject({
      code: "HELD_LOCK",
      message: expect.stringContaining("lacks 1 of its 2 permits"),
    });
  });

  test("runTest(), names all that is left, when there are several things", async () => {
    expect(
      await problemsOf(function* () {
        createTask(sleep(10));
        yield* new Lock().acquire();
      }),
    ).toEqual(["LEFT_RUNNING", "HELD_LOCK"]);
  });

  test("runTest(), lets all of it pass, when it is not strict", async () => {
    const result = await runTest(
      function* () {
        createTask(sleep(10));
        yield* new Lock().acquire();
        return "fine";
      },
      { strict: false },
    );

    expect(result).toBe("fine");
  });
});

describe("failing", () => {
  test("runTest(), rejects with the very error of the body, when it throws", async () => {
    const mine = new RangeError("mine");

    expect(
      await failureOf(
        runTest(function* () {
          yield* sleep(1);
          throw mine;
        }),
      ),
    ).toBe(mine);
  });

  test("runTest(), rejects with DeadlockError and the wait graph, when nothing can run again, in both spellings", async () => {
    const event = (): Event => new Event({ name: "go" });

    for (const body of [() => event().wait(), async () => void (await event().wait())]) {
      const error = await failureOf(runTest(body));
      expect(error).toBeInstanceOf(DeadlockError);
      expect(String(error)).toContain("main waits for Event 'go'");
    }
  });

  test("context.invariant(), fails the test in the step that breaks it", async () => {
    const log: number[] = [];
    const body = function* (t: { invariant(check: () => void): void }): Coroutine<void> {
      let value = 0;
      t.invariant(() => {
        if (value > 2) throw new Error(`value ${value}`);
      });
      for (;;) {
        value++;
        log.push(value);
        yield* sleep(1);
      }
    };

    expect(await failureOf(runTest(body))).toMatchObject({ message: "value 3" });
    expect(log).toEqual([1, 2, 3]);
  });

  test("context.atEnd(), checks when all tasks have ended, and fails the test", async () => {
    let ended = false;
    const body = function* (t: { atEnd(check: () => void): void }): Coroutine<void> {
      t.atEnd(() => {
        if (ended) throw new Error("checked after the end");
      });
      createTask(function* () {
        try {
          yield* sleep(10);
        } finally {
          ended = true;
        }
      });
      yield* sleep(1);
    };

    expect(await failureOf(runTest(body))).toMatchObject({ message: "checked after the end" });
  });

  test("runTest(), refuses a coroutine and bad checks, at once and with the remedy", async () => {
    // @ts-expect-error a body is a function
    expect(await failureOf(runTest(sleep(1)))).toMatchObject({ message: expect.stringContaining("pass the function itself") });
    // @ts-expect-error a check is a function
    const bad = runTest(async (t) => t.invariant(true));
    expect(await failureOf(bad)).toMatchObject({ message: expect.stringContaining("a function for invariant()") });
    expect(await failureOf(runTest(async (t) => t.choose(0)))).toMatchObject({ name: "TypeError" });
  });
});

test("runTest(), runs side by side with others, each with its own clock and checks", async () => {
  const clean = runTest(async (t) => {
    for (let i = 0; i < 5; i++) await sleep(10);
    return t.now();
  });
  const leaky = runTest(async (t) => {
    await sleep(7);
    await new Lock({ name: "leaked" }).acquire();
    return t.now();
  });

  expect(await clean).toBe(50);
  expect(await failureOf(leaky)).toMatchObject({ code: "HELD_LOCK" });
});

test("runTest(), lets no time pass while a task waits for bytes from a real socket, or for a process [real]", async () => {
  const server = createTcpServer((socket) => void setTimeout(() => socket.end("late"), 50));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await runTest(function* (t) {
      const { reader, writer } = yield* timeout("1s", () => openConnection("127.0.0.1", port));
      const text = yield* timeout("1s", () => reader.read());
      writer.close();
      yield* writer.waitClosed();
      const sleeping = yield* createSubprocessExec("sleep", ["0.05"]);
      const code = yield* timeout("1s", () => sleeping.wait());

      expect([text.toString(), code]).toEqual(["late", 0]);
      expect(t.now()).toBeLessThan(1000);
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
