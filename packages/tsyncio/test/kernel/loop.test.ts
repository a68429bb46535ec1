import {
  createTask,
  EventLoop,
  type ExceptionContext,
  Future,
  getEventLoop,
  getRunningLoop,
  sleep,
  Task,
  type TaskBody,
} from "tsyncio";
import { expect, test } from "vitest";
import { Deque } from "../../src/base/deque.ts";
import { runVirtual, turn, VirtualHost, virtually } from "../support/virtual.ts";

function virtualLoop(): { loop: EventLoop; host: VirtualHost; errors: ExceptionContext[] } {
  const host = new VirtualHost();
  const loop = new EventLoop({ host });
  const errors: ExceptionContext[] = [];
  loop.setExceptionHandler((_, context) => errors.push(context));
  return { loop, host, errors };
}

test("callSoon() runs callbacks in order, each turn only those that were there when it began", async () => {
  const { loop } = virtualLoop();
  const log: string[] = [];
  loop.callSoon(() => {
    log.push(`a${turn(loop)}`);
    loop.callSoon(() => log.push(`c${turn(loop)}`));
  });
  loop.callSoon((word: string) => log.push(`${word}${turn(loop)}`), "b");

  await loop.runUntilComplete(sleep(0));

  expect(log).toEqual(["a1", "b1", "c2"]);
});

test("callLater() and callAt() fire in order of deadline, equal ones in order of the calls, behind what is ready", async () => {
  const { loop, host } = virtualLoop();
  const log: string[] = [];
  loop.callLater(20, () => log.push("20"));
  for (const name of ["10a", "10b", "10c"]) loop.callAt(10, () => log.push(name));
  loop.callLater("5ms", () => log.push("5"));
  loop.callLater(0, () => log.push("0"));
  loop.callSoon(() => log.push("soon"));

  await loop.runUntilComplete(sleep(30));

  expect(log).toEqual(["soon", "0", "5", "10a", "10b", "10c", "20"]);
  expect(host.now()).toBe(30);
});

test("Handle.cancel() takes a callback back, before it runs", async () => {
  const { loop } = virtualLoop();
  const log: string[] = [];
  const soon = loop.callSoon(() => log.push("soon"));
  const later = loop.callLater(5, () => log.push("later"));

  soon.cancel();
  later.cancel();
  await loop.runUntilComplete(sleep(10));

  expect(log).toEqual([]);
  expect([soon.cancelled(), later.cancelled(), later.when()]).toEqual([true, true, 5]);
});

test("a majority of cancelled timers is swept, and the rest keep their order", async () => {
  const { loop } = virtualLoop();
  const log: number[] = [];
  const handles = Array.from({ length: 500 }, (_, i) => loop.callAt(1000 - (i % 50), () => log.push(i)));
  handles.forEach((handle, i) => {
    if (i % 5 !== 0) handle.cancel();
  });

  await loop.runUntilComplete(sleep(2000));

  const expected = handles.map((_, i) => i).filter((i) => i % 5 === 0);
  expected.sort((a, b) => 1000 - (a % 50) - (1000 - (b % 50)) || a - b);
  expect(log).toEqual(expected);
});

test("an error of a callback goes to the exception handler, and the loop goes on", async () => {
  const { loop, errors } = virtualLoop();
  const boom = new Error("boom");
  const handle = loop.callSoon(function exploding() {
    throw boom;
  });

  await loop.runUntilComplete(sleep(1));

  expect(errors).toEqual([{ message: "Exception in callback exploding()", exception: boom, handle }]);
});

test("an exception handler that throws is reported together with what it was told", async () => {
  const host = new VirtualHost();
  const loop = new EventLoop({ host });
  loop.setExceptionHandler(() => {
    throw new Error("handler broke");
  });
  loop.callSoon(() => {
    throw new Error("first");
  });

  await loop.runUntilComplete(sleep(1));

  expect(host.reports).toHaveLength(1);
  expect(host.reports[0]).toContain("Unhandled error in exception handler");
  expect(host.reports[0]).toContain("handler broke");
});

test("the default exception handler reports message, details and error", async () => {
  const host = new VirtualHost();
  const loop = new EventLoop({ host });
  loop.callSoon(() => {
    throw new Error("boom");
  });

  await loop.runUntilComplete(sleep(1));

  expect(host.reports[0]).toMatch(/^Exception in callback anonymous\(\)\nhandle: .*Handle.*\nError: boom\n {4}at /s);
});

test("stop() ends the run after the turn under way; before a run, after its first turn", async () => {
  const { loop } = virtualLoop();
  const log: string[] = [];
  loop.callSoon(() => {
    loop.stop();
    loop.callSoon(() => log.push("next turn"));
  });
  loop.callSoon(() => log.push("same turn"));

  await loop.runForever();
  expect(log).toEqual(["same turn"]);

  loop.stop();
  await loop.runForever();
  expect(log).toEqual(["same turn", "next turn"]);
});

test("runUntilComplete() returns one turn after the future is done", async () => {
  const { loop } = virtualLoop();
  const future = loop.createFuture<string>();
  let settled = 0;
  loop.callLater(5, () => {
    future.setResult("value");
    settled = turn(loop);
  });

  expect(await loop.runUntilComplete(future)).toBe("value");

  expect(turn(loop)).toBe(settled + 1);
});

test("runUntilComplete() rejects, when the loop is stopped before", async () => {
  const { loop } = virtualLoop();
  const task = loop.createTask(sleep(100));
  loop.callLater(5, () => loop.stop());

  await expect(loop.runUntilComplete(task)).rejects.toThrow("Event loop stopped before Future completed.");

  task.cancel();
  await loop.runUntilComplete(task.join());
});

test("close() is refused while the loop runs, and ends all use of it", async () => {
  const { loop } = virtualLoop();
  let refused: unknown;
  loop.callSoon(() => {
    try {
      loop.close();
    } catch (error) {
      refused = error;
    }
  });
  await loop.runUntilComplete(sleep(1));

  loop.close();
  loop.close();

  expect(String(refused)).toMatch(/Cannot close a running event loop/);
  expect(loop.isClosed()).toBe(true);
  expect(() => loop.callSoon(() => {})).toThrow("Event loop is closed");
  expect(() => loop.callLater(1, () => {})).toThrow("Event loop is closed");
  expect(() => loop.createTask(sleep(1))).toThrow("Event loop is closed");
  await expect(loop.runForever()).rejects.toThrow("Event loop is closed");
});

test("close() reports tasks that are still pending", async () => {
  const { loop, errors } = virtualLoop();
  const task = loop.createTask(sleep(1000), { name: "left" });
  await loop.runUntilComplete(sleep(1));

  loop.close();

  expect(errors).toHaveLength(1);
  expect(errors[0]?.message).toBe("Task was destroyed but it is pending!");
  expect(errors[0]?.task).toBe(task);
});

test("a loop that runs cannot be run again, and no other one inside of it", async () => {
  const { loop } = virtualLoop();
  const other = virtualLoop().loop;
  await loop.runUntilComplete(function* () {
    yield* sleep(0);
    const again = loop.runForever();
    const inside = other.runForever();
    void again.catch(() => {});
    void inside.catch(() => {});
    const results = yield* settle([again, inside]);
    expect(results).toEqual(["This event loop is already running", "Cannot run a loop inside another; use createTask()"]);
  });
});

/** The messages that promises reject with. */
function settle(promises: Promise<unknown>[]): Future<string[]> {
  const future = new Future<string[]>();
  void Promise.allSettled(promises).then((all) =>
    future.setResult(all.map((each) => (each.status === "rejected" ? (each.reason as Error).message : "fulfilled"))),
  );
  return future;
}

test.each([
  ["a coroutine", () => sleep(1), /createTask\(\) is for coroutines/],
  ["a number", () => 5, /got 5 \(number\)/],
])("callSoon() of %s is refused", (_, value, message) => {
  const { loop } = virtualLoop();

  expect(() => loop.callSoon(value() as never)).toThrow(message);
});

test("a task factory makes all tasks, and gets their options", async () => {
  class Traced<T> extends Task<T> {}
  const seen: (string | undefined)[] = [];

  const { result } = await runVirtual(
    function* () {
      const task = createTask(sleep(1, "x"), { name: "made" });
      return [task instanceof Traced, yield* task];
    },
    {
      prepare: (loop) =>
        loop.setTaskFactory(<T>(of: EventLoop, body: TaskBody<T>, options: object) => {
          seen.push((options as { name?: string }).name);
          return new Traced<T>(body, { ...options, loop: of });
        }),
    },
  );

  expect(result).toEqual([true, "x"]);
  expect(seen).toContain("made");
});

test("getEventLoop() is the running loop inside, and a loop of the thread outside [real]", async () => {
  const outside = getEventLoop();

  expect(getEventLoop()).toBe(outside);
  expect(outside.isRunning()).toBe(true);
  expect(
    await virtually(function* () {
      return getEventLoop() === getRunningLoop();
    }),
  ).toBe(true);
});

test("time() is the host's clock in milliseconds", async () => {
  const { loop, host } = virtualLoop();

  await loop.runUntilComplete(sleep("2s"));

  expect(loop.time()).toBe(2000);
  expect(host.now()).toBe(2000);
});

test("sleep() never ends before its time, on the real clock [real]", async () => {
  const early: number[] = [];
  for (let i = 0; i < 20; i++) {
    const loop = getEventLoop();
    const start = loop.time();
    await sleep(3);
    if (loop.time() - start < 3) early.push(loop.time() - start);
  }

  expect(early).toEqual([]);
});

test.each([0.001, 0.05, 0.3, 5])(
  "the loop hands the thread back within 2 ms and one stride, when each step takes %f ms",
  async (cost) => {
    /** A clock that only steps move. */
    class SteppedHost extends VirtualHost {
      clock = 0;
      readonly slices: number[] = [];
      override now(): number {
        return this.clock;
      }
      /** The plain queue: that of virtual time ends slices by itself. */
      override createQueue(): Deque<never> {
        return new Deque();
      }
      override wakeSoon(callback: () => void): void {
        super.wakeSoon(() => {
          const start = this.clock;
          callback();
          this.slices.push(this.clock - start);
        });
      }
      override wakeSettled(callback: () => void): void {
        super.wakeSoon(callback);
      }
    }
    const host = new SteppedHost();
    const loop = new EventLoop({ host });

    await loop.runUntilComplete(function* () {
      for (let i = 0; i < 20_000; i++) {
        host.clock += cost;
        yield* sleep(0);
      }
    });

    expect(host.slices.length).toBeGreaterThan(2);
    expect(Math.max(...host.slices)).toBeLessThanOrEqual(2 + Math.max(0.3, cost) + 1e-6);
  },
);

test("callLater() needs no timer of the host, when it is due before the async functions have gone on", async () => {
  const delays: number[] = [];
  class AskedHost extends VirtualHost {
    override wakeAt(when: number, callback: () => void): unknown {
      delays.push(when - this.now());
      return super.wakeAt(when, callback);
    }
  }
  const loop = new EventLoop({ host: new AskedHost() });
  await loop.runUntilComplete(async () => {
    const resumed = new Future<void>();
    const fired = new Future<void>();
    loop.callSoon(() => {
      loop.callSoon(() => loop.callLater(0, () => fired.setResult()));
      resumed.setResult();
    });
    await resumed;
    await fired;
    await sleep(5);
  });

  expect(delays).toEqual([5]);
});
