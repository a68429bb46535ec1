/** order(), sequencer(), assertSuspends(), assertNeverSuspends(), VirtualHost. */

import { type Coroutine, createTask, EventLoop, gather, Lock, Queue, run, sleep } from "tsyncio";
import { assertNeverSuspends, assertSuspends, order, runTest, sequencer, VirtualHost } from "tsyncio/testing";
import { describe, expect, test } from "vitest";

describe("order()", () => {
  test("order(), passes, when its points come as 1, 2, 3, by whichever task", async () => {
    const reached = await runTest(function* () {
      const at = order();
      const task = createTask(function* () {
        at(2);
        yield* sleep(1);
        at(4);
      });
      at(1);
      yield* sleep(0);
      at(3);
      yield* task;
      at.end(5);
      return at.reached;
    });

    expect(reached).toBe(5);
  });

  test("order(), throws and says which point was due, when one comes early, twice, or after the end", () => {
    const at = order();

    expect(() => at(2)).toThrow("Expected point 1 to be passed next, got point 2");
    at(1);
    expect(() => at(1)).toThrow("Expected point 2 to be passed next, got point 1");
    at.end(2);
    expect(() => at(3)).toThrow("Point 3 was passed after the end, which was point 2");
    expect(at.reached).toBe(2);
  });
});

describe("sequencer()", () => {
  test("sequencer(), runs bodies in the order of their numbers, whatever the order of the calls, in both spellings", async () => {
    const lines = await runTest(function* () {
      const turn = sequencer();
      const lines: string[] = [];
      yield* gather(
        turn(2, async () => {
          await sleep(1);
          lines.push("c");
        }),
        turn(1, function* () {
          yield* sleep(5);
          lines.push("b");
        }),
        async () => {
          await turn(0);
          lines.push("a");
        },
      );
      return lines;
    });

    expect(lines).toEqual(["a", "b", "c"]);
  });

  test("sequencer(), gives the result of the body, and passes on its error and the turn", async () => {
    await runTest(function* () {
      const turn = sequencer();
      const failing = createTask(
        turn(0, function* (): Coroutine<string> {
          throw new RangeError("mine");
        }),
      );
      expect(yield* turn(1, async () => "next")).toBe("next");
      yield* failing.join();
      expect(failing.exception()).toBeInstanceOf(RangeError);
    });
  });

  test("sequencer(), breaks for all that wait, when a turn is cancelled before it came", async () => {
    const messages = await runTest(function* () {
      const turn = sequencer();
      const second = createTask(turn(1));
      const third = createTask(turn(2));
      yield* sleep(0);
      yield* second.cancelAndWait();
      yield* third.join();
      return [second.cancelled(), String(third.exception())];
    });

    expect(messages).toEqual([true, "RuntimeError: Turn 2 cannot come: one before it was cancelled"]);
  });

  test("sequencer(), refuses a turn that was taken and a number that is none", async () => {
    await runTest(function* () {
      const turn = sequencer();
      yield* turn(0);
      const again = createTask(turn(0));
      yield* again.join();
      expect(String(again.exception())).toContain("Turn 0 was taken before");
      expect(() => turn(-1)).toThrow("an integer ≥ 0");
      expect(() => turn(1.5)).toThrow("an integer ≥ 0");
    });
  });
});

describe("assertSuspends() and assertNeverSuspends()", () => {
  const cases: [string, () => Coroutine<unknown>, () => Promise<unknown>, boolean][] = [
    ["sleep(0)", () => sleep(0), async () => sleep(0), true],
    ["a free lock", () => new Lock().acquire(), async () => new Lock().acquire(), false],
    ["a queue with room", () => new Queue(1).put(1), async () => new Queue(1).put(1), false],
    ["nothing", function* () {}, async () => {}, false],
    [
      "a task",
      function* () {
        yield* createTask(sleep(1));
      },
      async () => {
        await createTask(sleep(1));
      },
      true,
    ],
  ];

  test.each(cases)("tell whether others can run, during %s", async (_, coroutine, asynchronous, suspends) => {
    for (const body of [coroutine, asynchronous] as (() => Coroutine<unknown>)[]) {
      const outcome = await runTest(
        function* () {
          const waits = createTask(assertSuspends(body));
          yield* waits.join();
          const passes = createTask(assertNeverSuspends(body));
          yield* passes.join();
          return [waits.exception() === null, passes.exception() === null];
        },
        { strict: false },
      );

      expect(outcome).toEqual([suspends, !suspends]);
    }
  });

  test("assertSuspends(), gives the result, and lets errors through", async () => {
    await runTest(async () => {
      expect(await assertSuspends(() => sleep(1, "result"))).toBe("result");
      expect(await assertNeverSuspends(() => "result")).toBe("result");
      await expect(
        assertSuspends(async () => {
          throw new RangeError("mine");
        }),
      ).rejects.toThrow(RangeError);
    });
  });

  test("assertNeverSuspends(), counts the waits of its own task only, when others run meanwhile", async () => {
    const error = await runTest(async () => {
      const other = createTask(async () => {
        for (let i = 0; i < 10; i++) await sleep(1);
      });
      const task = createTask(
        assertNeverSuspends(async () => {
          await sleep(3);
          await sleep(3);
        }),
      );
      await task.join();
      await other;
      return task.exception();
    });

    expect(String(error)).toContain("it waited 2 times");
  });

  test("assertSuspends(), works without runTest(), in a plain program [real]", async () => {
    await run(function* () {
      yield* assertSuspends(() => sleep(0));
      yield* assertNeverSuspends(function* () {});
    });
  });
});

describe("VirtualHost", () => {
  test("VirtualHost, makes run() jump from deadline to deadline", async () => {
    const host = new VirtualHost({ start: 1000 });

    await run(sleep("2h"), { loop: new EventLoop({ host }) });

    expect(host.now()).toBe(7_201_000);
  });

  test("VirtualHost.advance(), alone moves the clock, when autojump is off", async () => {
    const host = new VirtualHost({ autojump: false });
    const seen: number[] = [];
    const program = run(
      function* () {
        for (;;) {
          yield* sleep(10);
          seen.push(host.now());
          if (seen.length === 3) return;
        }
      },
      { loop: new EventLoop({ host }) },
    );

    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seen).toEqual([]);
    host.advance(25);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([seen, host.now()]).toEqual([[10, 20], 20]);
    host.advance("1s");
    await program;
    expect(seen).toEqual([10, 20, 30]);
  });

  test("VirtualHost.random(), gives the same numbers, for the same seed", () => {
    const draw = (seed: number): number[] => {
      const host = new VirtualHost({ seed });
      return Array.from({ length: 5 }, () => host.random());
    };

    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
    expect(draw(7).every((each) => each >= 0 && each < 1)).toBe(true);
  });

  test("VirtualHost.reports, holds what the library wanted to tell", async () => {
    const host = new VirtualHost();
    const loop = new EventLoop({ host });

    await run(
      function* () {
        createTask(function* () {
          throw new Error("lost");
        });
        yield* sleep(1);
      },
      { loop },
    );

    expect(host.reports).toEqual([expect.stringContaining("exception was never retrieved")]);
  });
});
