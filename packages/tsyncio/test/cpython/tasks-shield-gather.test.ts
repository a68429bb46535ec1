/** shield() and gather(): outcomes, how far cancellations go, which errors are told. After CPython's test_tasks.py. */

import {
  CancelledError,
  type Coroutine,
  createTask,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  isCancelled,
  type Job,
  shield,
  sleep,
} from "tsyncio";
import { expect, test, vi } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

const idleLoop = (): EventLoop => new EventLoop({ host: new VirtualHost() });

/** Lets the loop run until what is known now has had its consequences. */
function* settle(): Coroutine<void> {
  for (let i = 0; i < 5; i++) yield* sleep(0);
}

function* giving<T>(value: T): Coroutine<T> {
  return value;
}

function* awaiting<T>(future: Future<T>): Coroutine<T> {
  return yield* future;
}

/** The callbacks and tasks that a future would call. */
const callbacksOf = (future: Future<unknown>): number =>
  (future as unknown as { _waitingList(): unknown[] })._waitingList().length;

// ── shield() ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("shield(), has the result of what it shields", async () => {
  const result = await virtually(function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    inner.setResult(42);
    return yield* outer;
  });

  expect(result).toBe(42);
});

test("shield(), has the very error of what it shields", async () => {
  const { result, errors } = await runVirtual(function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    yield* sleep(0);
    const error = new Error("expected");
    inner.setException(error);
    yield* sleep(0);
    return outer.exception() === error;
  });

  expect(result).toBe(true);
  expect(errors).toEqual([]);
});

test("shield(), is cancelled, when what it shields is", async () => {
  const cancelled = await virtually(function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    yield* sleep(0);
    inner.cancel();
    yield* sleep(0);
    return outer.cancelled();
  });

  expect(cancelled).toBe(true);
});

test("shield().cancel(), cancels itself alone and keeps no callbacks", async () => {
  const seen = await virtually(function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    yield* sleep(0);
    outer.cancel();
    yield* sleep(0);
    return [outer.cancelled(), inner.done(), callbacksOf(outer)];
  });

  expect(seen).toEqual([true, false, 0]);
});

test("shield().cancel(), makes nobody report the result that comes later", async () => {
  const { errors } = await runVirtual(function* () {
    const inner = new Future<number>();
    const outer = shield(inner);
    yield* sleep(0);
    outer.cancel();
    yield* sleep(0);
    inner.setResult(1);
    yield* sleep(0);
  });

  expect(errors).toEqual([]);
});

for (const shields of [1, 2]) {
  test(`shield().cancel(), has the error that comes later reported once, when there were ${shields} shields`, async () => {
    const { result, errors } = await runVirtual(function* () {
      const inner = new Future<number>();
      for (let i = 0; i < shields; i++) {
        const outer = shield(inner);
        yield* sleep(0);
        outer.cancel();
        yield* sleep(0);
      }
      const error = new Error("foo");
      inner.setException(error);
      yield* sleep(0);
      return error;
    });

    expect(errors.map((each) => each.exception)).toEqual([result]);
  });
}

test("shield(), gives the result, when it is there already", async () => {
  const result = await virtually(function* () {
    const future = new Future<number>();
    future.setResult(42);
    // There is nothing left to shield.
    return [shield(future) === future, yield* shield(future)];
  });

  expect(result).toEqual([true, 42]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`shield(), lets its coroutine end, when who awaits it is cancelled, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const log: string[] = [];
      const waiter = new Future<void>();
      const star = function* (): Coroutine<void> {
        yield* waiter;
        log.push("inner");
      };
      const asynchronous = async (): Promise<void> => {
        await waiter;
        log.push("inner");
      };
      const task = createTask(
        spelling === "function*"
          ? function* () {
              yield* shield(star());
              log.push("outer");
            }
          : async () => {
              await shield(asynchronous);
              log.push("outer");
            },
      );
      yield* sleep(0);
      yield* sleep(0);
      task.cancel();
      yield* task.join();
      waiter.setResult();
      yield* sleep(0);
      return [task.cancelled(), ...log];
    });

    expect(seen).toEqual([true, "inner"]);
  });
}

test("shield() of a gather(), lets it end with its results, when the shield is cancelled", async () => {
  const seen = await virtually(function* () {
    const [first, second] = [new Future<number>(), new Future<number>()];
    const parent = gather(first, second);
    const outer = shield(parent);
    yield* sleep(0);
    outer.cancel();
    yield* sleep(0);
    const cancelled = outer.cancelled();
    first.setResult(1);
    second.setResult(2);
    yield* sleep(0);
    return [cancelled, parent.result()];
  });

  expect(seen).toEqual([true, [1, 2]]);
});

test("gather() of shields, cancels the shields and not what they shield, when it is cancelled", async () => {
  const seen = await virtually(function* () {
    const [first, second] = [new Future<number>(), new Future<number>()];
    const shields = [shield(first), shield(second)];
    const parent = gather(shields);
    yield* sleep(0);
    parent.cancel();
    yield* sleep(0);
    const ends = [isCancelled(parent.exception()), ...shields.map((each) => each.cancelled())];
    first.setResult(1);
    second.setResult(2);
    yield* sleep(0);
    return [...ends, first.result(), second.result()];
  });

  expect(seen).toEqual([true, true, true, 1, 2]);
});

test("shield(), makes a task of a coroutine in the running loop", async () => {
  const seen = await virtually(function* () {
    const outer = shield(giving(42));
    return [outer.getLoop() === getRunningLoop(), yield* outer];
  });

  expect(seen).toEqual([true, 42]);
});

test("shield(), makes a task of a coroutine in the default loop, outside of any [real]", async () => {
  const outer = shield(giving(42));

  expect(outer.getLoop().isRunning()).toBe(true);
  expect(await outer).toBe(42);
});

// ── gather() ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** asyncio's tests of gather() are run with futures and with coroutines that await these. */
const KINDS: Readonly<Record<string, <T>(future: Future<T>) => Job<T>>> = {
  futures: (future) => future,
  coroutines: (future) => awaiting(future),
  "async functions": (future) => async () => await future,
};

for (const [kind, wrap] of Object.entries(KINDS)) {
  for (const returnExceptions of [undefined, false, true]) {
    test(`gather(), calls back once with all results, given ${kind} and returnExceptions ${returnExceptions}`, async () => {
      const seen = await virtually(function* () {
        const [a, b, c] = [new Future<number>(), new Future<number>(), new Future<number>()];
        const all = gather([a, b, c].map(wrap), { returnExceptions });
        const called = vi.fn();
        all.addDoneCallback(called);
        b.setResult(1);
        a.setResult(2);
        yield* settle();
        const early = [called.mock.calls.length, all.done()];
        c.setResult(3);
        yield* settle();
        return [...early, called.mock.calls.length, called.mock.calls[0]?.[0] === all, all.result()];
      });

      expect(seen).toEqual([0, false, 1, true, [2, 1, 3]]);
    });
  }

  test(`gather(), fails once with the first error, whatever becomes of the others, given ${kind}`, async () => {
    const { result, errors } = await runVirtual(function* () {
      const futures = Array.from({ length: 5 }, () => new Future<number>());
      const [a, b, c, d, e] = futures as [Future<number>, Future<number>, Future<number>, Future<number>, Future<number>];
      const all = gather(futures.map(wrap));
      const called = vi.fn();
      all.addDoneCallback(called);
      const error = new RangeError("zero");
      a.setResult(1);
      b.setException(error);
      yield* settle();
      const then = [all.done(), called.mock.calls.length, called.mock.calls[0]?.[0] === all, all.exception() === error];
      c.setResult(3);
      d.cancel();
      e.setException(new Error("too late"));
      e.exception();
      yield* settle();
      return [...then, called.mock.calls.length, all.exception() === error];
    });

    expect(result).toEqual([true, 1, true, true, 1, true]);
    expect(errors).toEqual([]);
  });

  test(`gather() with returnExceptions, waits for all and gives the very errors, given ${kind}`, async () => {
    const { result, errors } = await runVirtual(function* () {
      const [a, b, c, d] = [new Future<number>(), new Future<number>(), new Future<number>(), new Future<number>()];
      const all = gather([a, b, c, d].map(wrap), { returnExceptions: true });
      const called = vi.fn();
      all.addDoneCallback(called);
      const [first, second] = [new RangeError("zero"), new Error("one")];
      b.setResult(1);
      c.setException(first);
      a.setResult(3);
      yield* settle();
      const early = all.done();
      d.setException(second);
      yield* settle();
      const results = all.result();
      const same = results[2] === first && results[3] === second;
      return [early, all.done(), called.mock.calls.length, called.mock.calls[0]?.[0] === all, results.slice(0, 2), same];
    });

    expect(result).toEqual([false, true, 1, true, [3, 1], true]);
    expect(errors).toEqual([]);
  });
}

test("gather() of nothing, is a Future of the running loop with no results", async () => {
  const seen = await virtually(function* () {
    const all = gather();
    yield* settle();
    return [all instanceof Future, all.getLoop() === getRunningLoop(), all.done(), all.result()];
  });

  expect(seen).toEqual([true, true, true, []]);
});

test("gather() of nothing, is a Future of the default loop, outside of any [real]", async () => {
  const all = gather();

  expect(all).toBeInstanceOf(Future);
  expect(all.getLoop().isRunning()).toBe(true);
  expect(await all).toEqual([]);
});

test("gather() of coroutines, runs them in the running loop", async () => {
  const seen = await virtually(function* () {
    const all = gather(giving("abc"), giving("abc"));
    return [all.getLoop() === getRunningLoop(), yield* all];
  });

  expect(seen).toEqual([true, ["abc", "abc"]]);
});

test("gather() of coroutines, runs them in the default loop, outside of any [real]", async () => {
  const all = gather(giving("abc"), giving("abc"));

  expect(all.getLoop().isRunning()).toBe(true);
  expect(await all).toEqual(["abc", "abc"]);
});

test("gather(), throws RangeError, when its futures are of different loops", () => {
  expect(() => gather(idleLoop().createFuture(), idleLoop().createFuture())).toThrow(RangeError);
});

test("gather(), is of the loop of its futures and pending as they are, each time", async () => {
  const loop = idleLoop();
  const children = [loop.createFuture<number>(), loop.createFuture<number>(), loop.createFuture<number>()];

  for (let i = 0; i < 2; i++) {
    const all = gather(children);
    await loop.runUntilComplete(sleep(0));

    expect(all.getLoop()).toBe(loop);
    expect(all.done()).toBe(false);
  }
  loop.close();
});

test("gather(), fails with CancelledError and is not cancelled itself, when a future is cancelled", async () => {
  const { result, errors } = await runVirtual(function* () {
    const futures = Array.from({ length: 5 }, () => new Future<number>());
    const [a, b, c, d, e] = futures as [Future<number>, Future<number>, Future<number>, Future<number>, Future<number>];
    const all = gather(a, b, c, d, e);
    const called = vi.fn();
    all.addDoneCallback(called);
    a.setResult(1);
    b.cancel();
    yield* settle();
    const then = [all.done(), called.mock.calls.length, called.mock.calls[0]?.[0] === all, all.cancelled()];
    c.setResult(3);
    d.cancel();
    e.setException(new Error("too late"));
    e.exception();
    yield* settle();
    return [...then, isCancelled(all.exception()), called.mock.calls.length];
  });

  expect(result).toEqual([true, 1, true, false, true, 1]);
  expect(errors).toEqual([]);
});

test("gather() with returnExceptions, gives CancelledError for each cancelled future, and waits for all", async () => {
  const seen = await virtually(function* () {
    const futures = Array.from({ length: 6 }, () => new Future<unknown>());
    const all = gather(futures, { returnExceptions: true });
    const called = vi.fn();
    all.addDoneCallback(called);
    const [zero, run] = [new RangeError("zero"), new Error("run")];
    futures[0]?.setResult(1);
    futures[1]?.setException(zero);
    futures[2]?.cancel();
    yield* settle();
    const early = all.done();
    futures[3]?.setResult(3);
    futures[4]?.cancel();
    futures[5]?.setException(run);
    const results = yield* all;
    const cancelled = [results[2], results[4]].map((each) => each instanceof CancelledError);
    const others = [results[0], results[1] === zero, results[3], results[5] === run];
    return [early, cancelled, others, called.mock.calls.length, called.mock.calls[0]?.[0] === all];
  });

  expect(seen).toEqual([false, [true, true], [1, true, 3, true], 1, true]);
});

test("gather(), runs a coroutine once and gives its result at each of its places, when it is given thrice", async () => {
  const seen = await virtually(function* () {
    let runs = 0;
    const thrice = (function* () {
      runs++;
      return "abc";
    })();
    return [yield* gather(thrice, thrice, giving("def"), thrice), runs];
  });

  expect(seen).toEqual([["abc", "abc", "def", "abc"], 1]);
});

test("gather(), is cancelled with its awaiter, and cancels all its jobs down to the future", async () => {
  const seen = await virtually(function* () {
    const waiter = new Future<void>();
    const log: string[] = [];
    const child = function* (): Coroutine<void> {
      yield* waiter;
      log.push("inner");
    };
    const children = [createTask(child), createTask(child)];
    let gathering: Future<unknown> | undefined;
    const task = createTask(function* () {
      gathering = gather(children);
      yield* gathering;
      log.push("outer");
    });
    yield* sleep(0);
    const accepted = task.cancel();
    yield* task.join();
    const again = gathering?.cancel();
    yield* sleep(0);
    return [accepted, task.cancelled(), again, waiter.cancelled(), ...children.map((each) => each.cancelled()), ...log];
  });

  expect(seen).toEqual([true, true, false, true, true, true]);
});

test("gather(), has later errors than the first count as looked at", async () => {
  const { result, errors } = await runVirtual(function* () {
    const [a, b] = [new Future<void>(), new Future<void>()];
    const failing = function* (future: Future<void>): Coroutine<never> {
      yield* future;
      throw new RangeError("not to be reported");
    };
    const task = createTask(function* () {
      yield* gather(failing(a), failing(b));
    });
    yield* sleep(0);
    a.setResult();
    yield* sleep(0);
    b.setResult();
    yield* settle();
    return task.exception();
  });

  expect(result).toBeInstanceOf(RangeError);
  expect(errors).toEqual([]);
});

test("gather(), throws TypeError and tells the exception handler nothing, when one job is none", async () => {
  const { errors, reports } = await runVirtual(function* () {
    expect(() => gather(giving("abc"), {} as never)).toThrow(TypeError);
    yield* settle();
  });

  expect(errors).toEqual([]);
  expect(reports).toEqual([]);
});
