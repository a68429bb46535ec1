import {
  allTasks,
  CancelledError,
  type Coroutine,
  coroutine,
  createTask,
  currentTask,
  Event,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  isCancelled,
  type Operation,
  RuntimeError,
  sleep,
  Task,
  timeout,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, turn, virtually } from "../support/virtual.ts";

/** Runs until `task` has ended and tells how. */
function* outcome(task: Task<unknown>): Coroutine<string> {
  yield* task.join();
  if (task.cancelled()) return "cancelled";
  const error = task.exception();
  return error === null ? `returned ${String(task.result())}` : `failed ${(error as Error).message}`;
}

test("createTask() runs the first step in the next turn", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const made = turn(loop);
    let started = 0;
    createTask(function* () {
      started = turn(loop);
    });
    const early = started;
    yield* sleep(0);
    return [early, started - made];
  });

  expect(seen).toEqual([0, 1]);
});

test("the end of a task resumes who awaits it one turn later", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    let ended = 0;
    const task = createTask(function* () {
      yield* sleep(0);
      ended = turn(loop);
    });
    yield* task;
    return turn(loop) - ended;
  });

  expect(turns).toBe(1);
});

test("awaiting a coroutine that does not wait takes no turn, however it is wrapped", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    function* plain(): Coroutine<number> {
      return 1;
    }
    const wrapped = coroutine(plain);
    const before = turn(loop);
    const sum = (yield* plain()) + (yield* wrapped());
    return [sum, turn(loop) - before];
  });

  expect(turns).toEqual([2, 0]);
});

test("a task has the result or the error of its coroutine or async function", async () => {
  const seen = await virtually(function* () {
    const jobs = [
      function* () {
        return 1;
      },
      async () => 2,
      () => 3,
      function* () {
        throw new Error("four");
      },
      async () => {
        throw new Error("five");
      },
      () => {
        throw new Error("six");
      },
    ];
    const outcomes: string[] = [];
    for (const job of jobs) outcomes.push(yield* outcome(createTask(job as () => Coroutine<unknown>)));
    return outcomes;
  });

  expect(seen).toEqual(["returned 1", "returned 2", "returned 3", "failed four", "failed five", "failed six"]);
});

test("task.cancel() never runs the body, when it comes before the first step, in either spelling", async () => {
  const seen = await virtually(function* () {
    let ran = 0;
    const tasks = [
      createTask(function* () {
        ran++;
      }),
      createTask(async () => {
        ran++;
      }),
      createTask(
        (function* () {
          ran++;
        })(),
      ),
    ];
    const accepted = tasks.map((task) => task.cancel());
    const ends: string[] = [];
    for (const task of tasks) ends.push(yield* outcome(task));
    return { ran, accepted, ends };
  });

  expect(seen).toEqual({ ran: 0, accepted: [true, true, true], ends: ["cancelled", "cancelled", "cancelled"] });
});

test("task.cancel() before the first step ends the task in the next turn and its awaiter in the one after", async () => {
  const turns = await virtually(function* () {
    const loop = getRunningLoop();
    const task = createTask(sleep(0));
    let ended = 0;
    task.addDoneCallback(() => {
      ended = turn(loop);
    });
    const asked = turn(loop);
    task.cancel();
    try {
      yield* task;
    } catch {
      // It is cancelled.
    }
    return [ended - asked, turn(loop) - asked];
  });

  expect(turns).toEqual([2, 2]);
});

test("task.cancel() throws into the wait in the next turn", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    let thrown = 0;
    const task = createTask(function* () {
      try {
        yield* sleep("1h");
      } catch (error) {
        thrown = turn(loop);
        throw error;
      }
    });
    yield* sleep(0);
    const asked = turn(loop);
    task.cancel();
    yield* task.join();
    return [thrown - asked, task.cancelled(), loop.time()];
  });

  expect(seen).toEqual([1, true, 0]);
});

test("task.cancel() returns false, when the task is done, and its outcome stays", async () => {
  const seen = await virtually(function* () {
    const task = createTask(sleep(0, "value"));
    yield* task;
    return [task.cancel(), task.cancelled(), task.result(), task.cancelling()];
  });

  expect(seen).toEqual([false, false, "value", 0]);
});

test("task.cancel() discards the result, when it comes between the result and the wakeup", async () => {
  const seen = await virtually(function* () {
    const future = new Future<string>();
    const task = createTask(function* () {
      return yield* future;
    });
    yield* sleep(0);
    future.setResult("lost");
    task.cancel();
    return yield* outcome(task);
  });

  expect(seen).toBe("cancelled");
});

test("task.cancel() delivers one error with the message of the first, when called twice in a turn", async () => {
  const seen = await virtually(function* () {
    const messages: string[] = [];
    const task = createTask(function* () {
      for (let i = 0; i < 2; i++) {
        try {
          yield* sleep(10);
          messages.push("slept");
        } catch (error) {
          messages.push((error as Error).message);
        }
      }
    });
    yield* sleep(0);
    task.cancel("first");
    task.cancel("second");
    const count = task.cancelling();
    yield* task.join();
    return [messages, count];
  });

  expect(seen).toEqual([["first", "slept"], 2]);
});

test("task.cancel() goes down a chain of tasks at once; each ends one turn after the one it awaits", async () => {
  const seen = await virtually(function* () {
    const loop = getRunningLoop();
    const ended: number[] = [];
    const chain = (depth: number): Task<void> =>
      createTask(function* () {
        const inner = depth === 0 ? sleep("1h") : chain(depth - 1);
        try {
          yield* inner;
        } finally {
          ended[depth] = turn(loop);
        }
      });
    const outermost = chain(4);
    for (let i = 0; i < 6; i++) yield* sleep(0);
    const asked = turn(loop);
    outermost.cancel();
    yield* outermost.join();
    return ended.map((each) => each - asked);
  });

  expect(seen).toEqual([1, 2, 3, 4, 5]);
});

test("the outer task goes on with the value, when the inner one swallows the cancellation", async () => {
  const seen = await virtually(function* () {
    const inner = createTask(function* () {
      try {
        yield* sleep("1h");
      } catch {
        return "swallowed";
      }
      return "slept";
    });
    const outer = createTask(function* () {
      return yield* inner;
    });
    yield* sleep(0);
    yield* sleep(0);
    outer.cancel();
    return [yield* outcome(outer), outer.cancelling()];
  });

  expect(seen).toEqual(["returned swallowed", 1]);
});

test("a task that cancels itself is interrupted at its next wait", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const task = createTask(function* () {
      currentTask()?.cancel("self");
      log.push("goes on");
      try {
        yield* sleep(0);
        log.push("not reached");
      } catch (error) {
        log.push((error as Error).message);
        throw error;
      }
    });
    yield* task.join();
    return [...log, task.cancelled()];
  });

  expect(seen).toEqual(["goes on", "self", true]);
});

test("a task that cancels itself is not interrupted by an await that does not wait, function*", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const done = new Future<string>();
    done.setResult("value");
    const task = createTask(function* () {
      currentTask()?.cancel();
      log.push(yield* done);
      try {
        yield* sleep(1);
      } catch {
        log.push("interrupted");
      }
    });
    yield* task.join();
    return log;
  });

  expect(seen).toEqual(["value", "interrupted"]);
});

test("a task that cancels itself is not interrupted by an await that does not wait, async", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const done = new Future<string>();
    done.setResult("value");
    const task = createTask(async () => {
      currentTask()?.cancel();
      log.push(await done);
      try {
        await sleep(1);
      } catch {
        log.push("interrupted");
      }
    });
    yield* task.join();
    return log;
  });

  expect(seen).toEqual(["value", "interrupted"]);
});

test("a task that cancels itself and returns is cancelled", async () => {
  const seen = await virtually(function* () {
    const task = createTask(function* () {
      currentTask()?.cancel("self");
      return "dropped";
    });
    return yield* outcome(task);
  });

  expect(seen).toBe("cancelled");
});

test("a task that cancels itself, takes it back and returns has its result", async () => {
  const seen = await virtually(function* () {
    const task = createTask(function* () {
      const self = currentTask() as Task<unknown>;
      self.cancel();
      self.uncancel();
      yield* sleep(0);
      return "kept";
    });
    return yield* outcome(task);
  });

  expect(seen).toBe("returned kept");
});

test("a task that throws CancelledError by itself is cancelled, with its message", async () => {
  const seen = await virtually(function* () {
    const ends: unknown[] = [];
    const jobs = [
      function* (): Coroutine<void> {
        throw new CancelledError("own");
      },
      async () => {
        throw new CancelledError("own");
      },
    ];
    for (const job of jobs) {
      const task = createTask(job);
      yield* task.join();
      ends.push(task.cancelled(), task.cancelling());
      expect(() => task.result()).toThrow("own");
    }
    return ends;
  });

  expect(seen).toEqual([true, 0, true, 0]);
});

test("cancelling() counts the requests and uncancel() takes them back, never below 0", async () => {
  const counts = await virtually(function* () {
    const task = createTask(sleep("1h"));
    const seen = [task.cancelling()];
    task.cancel();
    task.cancel();
    seen.push(task.cancelling(), task.uncancel(), task.uncancel(), task.uncancel(), task.cancelling());
    yield* sleep(0);
    task.cancel();
    yield* task.join();
    return seen;
  });

  expect(counts).toEqual([0, 2, 1, 0, 0, 0]);
});

test("uncancel() to 0 withdraws a request that was not delivered; above 0 it stays due", async () => {
  const seen = await virtually(function* () {
    const withdrawn = createTask(sleep(0, "ran"));
    withdrawn.cancel();
    withdrawn.uncancel();
    const due = createTask(sleep(0, "ran"));
    due.cancel();
    due.cancel();
    due.uncancel();
    return [yield* outcome(withdrawn), yield* outcome(due)];
  });

  expect(seen).toEqual(["returned ran", "cancelled"]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`task.cancel() during cleanup is delivered inside the finally block, ${spelling}`, async () => {
    const log = await virtually(function* () {
      const lines: string[] = [];
      const generator = function* (): Coroutine<void> {
        try {
          yield* sleep("1h");
        } finally {
          lines.push("cleanup 1");
          try {
            yield* sleep(10);
            lines.push("not reached");
          } catch (error) {
            lines.push(`again: ${(error as Error).message}`);
          }
          lines.push("cleanup 2");
          yield* sleep(10);
          lines.push("cleanup 3");
        }
      };
      const asynchronous = async (): Promise<void> => {
        try {
          await sleep("1h");
        } finally {
          lines.push("cleanup 1");
          try {
            await sleep(10);
            lines.push("not reached");
          } catch (error) {
            lines.push(`again: ${(error as Error).message}`);
          }
          lines.push("cleanup 2");
          await sleep(10);
          lines.push("cleanup 3");
        }
      };
      const task = createTask(spelling === "function*" ? generator : asynchronous);
      yield* sleep(1);
      task.cancel("one");
      yield* sleep(1);
      task.cancel("two");
      yield* task.join();
      return [...lines, task.cancelled(), task.cancelling(), getRunningLoop().time()];
    });

    expect(log).toEqual(["cleanup 1", "again: two", "cleanup 2", "cleanup 3", true, 2, 12]);
  });

  test(`task.signal is aborted by cancel() with the error, and a fresh one after uncancel(), ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const states: unknown[] = [];
      const look = (): void => {
        const task = currentTask() as Task<unknown>;
        const aborted = task.signal;
        states.push(aborted.aborted, isCancelled(aborted.reason), (aborted.reason as Error).message);
        task.uncancel();
        states.push(task.signal.aborted, task.signal !== aborted, aborted.aborted);
      };
      const task = createTask(
        spelling === "function*"
          ? function* () {
              states.push((currentTask() as Task<unknown>).signal.aborted);
              try {
                yield* sleep("1h");
              } catch {
                look();
              }
            }
          : async () => {
              states.push((currentTask() as Task<unknown>).signal.aborted);
              try {
                await sleep("1h");
              } catch {
                look();
              }
            },
      );
      yield* sleep(1);
      task.cancel("enough");
      yield* task.join();
      return states;
    });

    expect(seen).toEqual([false, true, true, "enough", false, true, true]);
  });
}

test("task.signal is aborted from the start, when first asked for after the cancellation", async () => {
  const aborted = await virtually(function* () {
    const task = createTask(sleep("1h"));
    task.cancel("early");
    const { signal } = task;
    yield* task.join();
    return [signal.aborted, (signal.reason as Error).message];
  });

  expect(aborted).toEqual([true, "early"]);
});

test("task.cancel() ends all library waits that an async function has in flight", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const event = new Event();
    const watched = async (name: string, wait: Operation<unknown> | Future<unknown>): Promise<void> => {
      try {
        await wait;
      } catch (error) {
        log.push(`${name} ${isCancelled(error)}`);
        throw error;
      }
    };
    const task = createTask(async () => {
      await Promise.all([
        watched("sleep", sleep("1h")),
        watched("event", event.wait()),
        watched("future", new Future()),
        watched(
          "timeout",
          timeout("1h", () => sleep("2h")),
        ),
      ]);
    });
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    yield* sleep(1);
    return [log.sort(), task.cancelled(), getRunningLoop().time(), allTasks().size];
  });

  expect(seen).toEqual([["event true", "future true", "sleep true", "timeout true"], true, 2, 1]);
});

test("task.name is Task-N, unless given; it can be changed", async () => {
  const names = await virtually(function* () {
    const unnamed = createTask(sleep(0));
    const named = createTask(sleep(0), { name: "oven" });
    const before = [unnamed.name, named.name];
    named.name = "stove";
    yield* gather(unnamed, named);
    return [...before, named.name, String(named)];
  });

  expect(names[0]).toMatch(/^Task-\d+$/);
  expect(names.slice(1, 3)).toEqual(["oven", "stove"]);
  expect(names[3]).toContain("stove");
});

test("task.id is unique, and parentId is the id of the task that made it", async () => {
  const seen = await virtually(function* () {
    const me = currentTask() as Task<unknown>;
    const children = [createTask(sleep(0)), createTask(async () => {})];
    const ids = new Set([me.id, ...children.map((child) => child.id)]);
    const inner = createTask(async () => {
      await sleep(0);
      return [createTask(sleep(0)).parentId];
    });
    const [grandchild] = yield* inner;
    yield* gather(children);
    return [ids.size, children.every((child) => child.parentId === me.id), grandchild === inner.id, me.parentId];
  });

  expect(seen).toEqual([3, true, true, 0]);
});

test("String(task) tells its state, its name and what it waits for", async () => {
  const texts = await virtually(function* () {
    const task = createTask(sleep("1h"), { name: "nap" });
    const seen = [String(task)];
    yield* sleep(0);
    seen.push(String(task));
    task.cancel();
    seen.push(String(task));
    yield* task.join();
    seen.push(String(task));
    return seen;
  });

  expect(texts[0]).toBe("<Task pending name='nap'>");
  expect(texts[1]).toBe("<Task pending name='nap' wait_for=<sleep of 3600000 ms>>");
  expect(texts[2]).toContain("<Task cancelling name='nap'");
  expect(texts[3]).toBe("<Task cancelled name='nap'>");
});

test("task.setResult() and setException() throw RuntimeError", async () => {
  await virtually(function* () {
    const task = createTask(sleep(0));
    expect(() => task.setResult(undefined as never)).toThrow(RuntimeError);
    expect(() => task.setException(new Error())).toThrow(RuntimeError);
    yield* task;
  });
});

test("new Task() throws RuntimeError, when the coroutine was driven before", async () => {
  await virtually(function* () {
    function* job(): Coroutine<void> {
      yield* sleep(0);
    }
    const used = job();
    yield* createTask(used);
    expect(() => createTask(used)).toThrow(RuntimeError);
    const operation = sleep(0);
    yield* operation;
    expect(() => createTask(operation)).toThrow(RuntimeError);
  });
});

test("task.getCoro() is what it drives, also once done", async () => {
  await virtually(function* () {
    const body = sleep(0);
    const task = createTask(body);
    expect(task.getCoro()).toBe(body);
    yield* task;
    expect(task.getCoro()).toBe(body);
  });
});

test("task.getStack() names the suspended calls, outermost first", async () => {
  const names = await virtually(function* () {
    const inner = coroutine(function* inner() {
      yield* sleep(10);
    });
    const outer = coroutine(function* outer() {
      yield* inner();
    });
    const task = createTask(outer());
    yield* sleep(1);
    const stack = task.getStack();
    const printed: string[] = [];
    task.printStack((text) => printed.push(text));
    yield* task;
    return [stack.map((each) => each.functionName), printed[0]?.includes("waits for sleep of 10 ms"), task.getStack()];
  });

  expect(names).toEqual([["outer", "inner"], true, []]);
});

test("currentTask() is the task of the step; allTasks() are those that are not done", async () => {
  const { result, loop } = await runVirtual(function* () {
    const main = currentTask();
    const seen: boolean[] = [];
    const task = createTask(function* () {
      seen.push(currentTask() === task);
      yield* sleep(1);
      seen.push(currentTask() === task);
    });
    const during = [...allTasks()];
    yield* task;
    return [seen, during.length, during[0] === main, during[1] === task, allTasks().size];
  });

  expect(result).toEqual([[true, true], 2, true, true, 1]);
  expect(allTasks(loop).size).toBe(0);
});

test("task.join() waits for the end and throws no outcome of the task, in both spellings", async () => {
  const { result, errors } = await runVirtual(async () => {
    const failing = createTask(function* () {
      yield* sleep(1);
      throw new Error("seen by nobody");
    });
    const cancelled = createTask(sleep("1h"));
    cancelled.cancel();
    await failing.join();
    await cancelled.join();
    const waiting = createTask(function* () {
      yield* failing.join();
      yield* cancelled.join();
      return "joined";
    });
    return [failing.done(), cancelled.cancelled(), await waiting];
  });

  expect(result).toEqual([true, true, "joined"]);
  expect(errors).toEqual([]);
});

test("task.join() can be cancelled, and leaves the task alone", async () => {
  const seen = await virtually(function* () {
    const task = createTask(sleep(10, "value"));
    const waiter = createTask(function* () {
      yield* task.join();
    });
    yield* sleep(1);
    waiter.cancel();
    yield* waiter.join();
    return [waiter.cancelled(), yield* task];
  });

  expect(seen).toEqual([true, "value"]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`task.cancelAndWait() ends after the cleanup of the task, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: string[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              try {
                yield* sleep("1h");
              } finally {
                yield* sleep(5);
                log.push("clean");
              }
            }
          : async () => {
              try {
                await sleep("1h");
              } finally {
                await sleep(5);
                log.push("clean");
              }
            },
      );
      yield* sleep(1);
      yield* task.cancelAndWait();
      log.push("waited");
      return [...log, task.cancelled(), getRunningLoop().time()];
    });

    expect(seen).toEqual(["clean", "waited", true, 6]);
  });
}

test("a failed task that is never awaited is reported with the task, when the loop closes", async () => {
  const { errors } = await runVirtual(function* () {
    createTask(
      function* () {
        throw new Error("lost");
      },
      { name: "orphan" },
    );
    yield* sleep(1);
  });

  expect(errors.map((each) => each.message)).toEqual(["Task exception was never retrieved"]);
  expect(errors[0]?.future?.toString()).toContain("orphan");
});

test("a second cancellation, in the turn in which the awaited gather ends cancelled, is one error and no report", async () => {
  const { result, errors } = await runVirtual(function* () {
    const messages: string[] = [];
    const task = createTask(function* () {
      try {
        yield* gather(sleep(10));
      } catch (error) {
        messages.push((error as Error).message);
        throw error;
      }
    });
    yield* sleep(0);
    yield* sleep(0);
    task.cancel("one");
    yield* sleep(0);
    yield* sleep(0);
    task.cancel("two");
    yield* task.join();
    return [...messages, task.cancelled()];
  });

  expect(result).toEqual(["one", true]);
  expect(errors).toEqual([]);
});

test("a coroutine() chain of 20,000 levels unwinds a result, an error and a cancellation through every level", async () => {
  const DEPTH = 20_000;
  const seen = await virtually(function* () {
    const entered: number[] = [];
    const left: number[] = [];
    const gate = new Event();
    const level: (depth: number, end: () => Coroutine<number>) => Operation<number> = coroutine(function* (depth, end) {
      entered.push(depth);
      try {
        // Each level waits once before it calls the next, as real code does; the stack starts afresh there.
        yield* sleep(0);
        return depth === DEPTH ? yield* end() : (yield* level(depth + 1, end)) + 1;
      } finally {
        left.push(depth);
      }
    });
    const summary = (): string => {
      const inOrder = left.every((depth, i) => depth === DEPTH - i);
      const text = `${entered.length} in, ${left.length} out, ${inOrder ? "innermost first" : "in disorder"}`;
      entered.length = left.length = 0;
      return text;
    };
    const results: unknown[] = [];

    results.push(
      yield* level(1, function* () {
        yield* sleep(1);
        return 1;
      }),
      summary(),
    );
    try {
      yield* level(1, function* () {
        yield* sleep(1);
        throw new Error("from the depth");
      });
    } catch (error) {
      results.push((error as Error).message, summary());
    }
    const task = createTask(
      level(1, function* () {
        yield* gate.wait();
        return 0;
      }),
    );
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    results.push(task.cancelled(), summary());
    return results;
  });

  const all = `${DEPTH} in, ${DEPTH} out, innermost first`;
  expect(seen).toEqual([DEPTH, all, "from the depth", all, true, all]);
});

test("each level of a coroutine() chain of 20,000 can wait in its finally block while a cancellation passes", async () => {
  const DEPTH = 20_000;
  const seen = await virtually(function* () {
    let cleaned = 0;
    const level: (depth: number) => Operation<void> = coroutine(function* (depth) {
      try {
        yield* sleep(0);
        if (depth < DEPTH) yield* level(depth + 1);
        else yield* sleep("1h");
      } finally {
        yield* sleep(0);
        if (DEPTH - depth === cleaned) cleaned++;
      }
    });
    const task = createTask(level(1));
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    return [cleaned, task.cancelled()];
  });

  expect(seen).toEqual([DEPTH, true]);
});

test("a raw yield* chain of 500 levels unwinds a result, an error and a cancellation through every level", async () => {
  const DEPTH = 500;
  const seen = await virtually(function* () {
    const left: number[] = [];
    function* level(depth: number, end: () => Coroutine<number>): Coroutine<number> {
      try {
        return depth === DEPTH ? yield* end() : (yield* level(depth + 1, end)) + 1;
      } finally {
        left.push(depth);
      }
    }
    const inOrder = (): boolean => {
      const right = left.length === DEPTH && left.every((depth, i) => depth === DEPTH - i);
      left.length = 0;
      return right;
    };
    const results: unknown[] = [];
    results.push(yield* level(1, () => sleep(1, 1)), inOrder());
    try {
      yield* level(1, function* () {
        yield* sleep(1);
        throw new Error("from the depth");
      });
    } catch (error) {
      results.push((error as Error).message, inOrder());
    }
    const task = createTask(level(1, () => sleep("1h", 1)));
    yield* sleep(1);
    task.cancel();
    yield* task.join();
    results.push(task.cancelled(), inOrder());
    return results;
  });

  expect(seen).toEqual([DEPTH, true, "from the depth", true, true, true]);
});

test("Task is a Future of its loop", () => {
  const loop = new EventLoop();
  const task = new Task(sleep(0), { loop });

  expect(task).toBeInstanceOf(Future);
  expect(task.getLoop()).toBe(loop);
  expect(task.done()).toBe(false);
});
