/**
 * The least that a generator runtime can do on V8: tasks, futures, timers, cancellation. It has no context variables, names, debug
 * mode, second waiters on a future, counts of cancellations, priorities or list of tasks, it checks no mistakes, and no async function
 * can await it. What tsyncio takes more than this is its book-keeping; what this takes is V8's.
 */

import { Ring } from "./ring.ts";
import { type Timer, Timers } from "./timers.ts";

export type Coroutine<T> = Generator<undefined, T, unknown>;

/** Something to `yield*`: an iterator that is its own iterable. */
export interface Awaitable<T> {
  [Symbol.iterator](): Iterator<undefined, T, unknown>;
}

/** What a task waits for; if it is cancelled, it leaves. False when it is not there: it is ready already. */
export interface Wait {
  leave(task: Task<unknown>): boolean;
}

export type Step<T> = IteratorResult<undefined, T>;

/**
 * What a coroutine is resumed with. `yield*` itself begins by `next(undefined)`: by that alone an iterator can tell the beginning of a
 * wait from its end, and one object without a state can serve any number of tasks.
 */
const RESUME = true;

/** Shared by all steps that suspend: whoever waits has noted the task by then. */
const SUSPENDED: Step<never> = { done: false, value: undefined };
export const READY: Step<void> = { done: true, value: undefined };

/** Steps between two looks at the clock, and how long a slice lasts before the host has its turn, in ms. */
const STRIDE = 256;
const SLICE = 2;

/** The error of a cancelled task: one for all, without a stack, which would cost more than all the rest. */
export const CANCELLED: Error = Object.create(Error.prototype, { message: { value: "cancelled" } });
export const TIMED_OUT: Error = Object.create(Error.prototype, { message: { value: "timed out" } });

const ready = new Ring<Task<unknown>>();
const timers = new Timers();
let running: Task<unknown>;
/** The calls that the suspension under way is leaving, from the innermost to the outermost. */
let innermost: Call<unknown> | null = null;
let outermost: Call<unknown> | null = null;

/** The task whose step runs. */
export function current(): Task<unknown> {
  return running;
}

export function wake(task: Task<unknown>): void {
  ready.push(task);
}

/** Ends a step by waiting. */
export function suspend(wait: Wait): Step<never> {
  running.waits = wait;
  return SUSPENDED;
}

/** Its own iterator, and what that iterator gives. */
export class Future<T> implements Wait {
  declare done: boolean;
  /** The result; until then the task that waits, or null. */
  declare value: T | Task<unknown> | null;
  declare error: unknown;

  constructor() {
    this.done = false;
    this.value = null;
    this.error = undefined;
  }

  setResult(value: T): void {
    this.settle(value, undefined);
  }

  settle(value: T, error: unknown): void {
    const waiter = this.value as Task<unknown> | null;
    this.done = true;
    this.value = value;
    this.error = error;
    if (waiter !== null) ready.push(waiter);
  }

  [Symbol.iterator](): Iterator<undefined, T, unknown> {
    return this as never;
  }

  next(): Step<T> {
    if (this.done) {
      if (this.error !== undefined) throw this.error;
      return this as never;
    }
    this.value = running;
    return suspend(this);
  }

  /** Without it, `yield*` would make a TypeError of a cancellation. */
  throw(error: unknown): never {
    throw error;
  }

  leave(): boolean {
    if (this.done) return false;
    this.value = null;
    return true;
  }
}

export class Task<T> extends Future<T> {
  declare coroutine: Coroutine<T>;
  /** Where it goes on: the innermost call; null: the coroutine itself. */
  declare call: Call<unknown> | null;
  declare waits: Wait | null;

  constructor(coroutine: Coroutine<T>) {
    super();
    this.coroutine = coroutine;
    this.call = null;
    this.waits = null;
    ready.push(this as Task<unknown>);
  }

  /** Throws into the coroutine where it waits; before it is done, `error` is what is to be thrown. */
  cancel(): void {
    if (this.done) return;
    this.error = CANCELLED;
    if (this.waits?.leave(this as Task<unknown>)) {
      this.waits = null;
      ready.push(this as Task<unknown>);
    }
  }
}

function step(task: Task<unknown>): void {
  running = task;
  for (;;) {
    const { call, error } = task;
    const coroutine = call === null ? task.coroutine : call.coroutine;
    let result: Step<unknown>;
    try {
      if (error === undefined) result = coroutine.next(RESUME);
      else {
        task.error = undefined;
        result = coroutine.throw(error);
      }
    } catch (thrown) {
      if (call === null) {
        task.settle(undefined, thrown);
        return;
      }
      call.error = thrown;
      task.call = call.caller;
      continue;
    }
    if (result.done !== true) {
      if (innermost !== null) adopt(task);
      return;
    }
    if (call === null) {
      task.settle(result.value, undefined);
      return;
    }
    call.result = result;
    task.call = call.caller;
  }
}

/** Puts the calls that suspended for the first time on top of those that did before. */
function adopt(task: Task<unknown>): void {
  (outermost as Call<unknown>).caller = task.call;
  task.call = innermost;
  innermost = outermost = null;
}

/**
 * A call that is resumed directly, however deep it lies: it runs at once, as with a plain `yield*`; if it suspends, it notes itself on
 * the way out, and from then on the task goes to it first, then to its caller with its result.
 */
class Call<T> {
  declare coroutine: Coroutine<T>;
  declare caller: Call<unknown> | null;
  declare result: Step<T> | null;
  declare error: unknown;

  constructor(coroutine: Coroutine<T>) {
    this.coroutine = coroutine;
    this.caller = null;
    this.result = null;
    this.error = undefined;
  }

  [Symbol.iterator](): Iterator<undefined, T, unknown> {
    return this as never;
  }

  next(sent: unknown): Step<T> {
    if (sent === undefined) {
      const result = this.coroutine.next();
      if (result.done === true) return result;
      if (outermost === null) innermost = this as Call<unknown>;
      else outermost.caller = this as Call<unknown>;
      outermost = this as Call<unknown>;
      return result;
    }
    if (this.result === null) throw this.error;
    return this.result;
  }
}

export function coroutine<A extends unknown[], T>(fn: (...args: A) => Coroutine<T>): (...args: A) => Awaitable<T> {
  return (...args) => new Call(fn(...args));
}

/** Puts the task behind all that is ready. */
class Pass {
  [Symbol.iterator](): Iterator<undefined, void, unknown> {
    return this;
  }

  next(sent?: unknown): Step<void> {
    if (sent !== undefined) return READY;
    ready.push(running);
    return SUSPENDED;
  }

  throw(error: unknown): never {
    throw error;
  }
}

const pass = new Pass();

class Sleep implements Timer, Wait {
  declare delay: number;
  /** Who sleeps; null when it is over. */
  declare task: Task<unknown> | null;

  constructor(delay: number) {
    this.delay = delay;
    this.task = null;
  }

  [Symbol.iterator](): Iterator<undefined, void, unknown> {
    return this;
  }

  next(sent?: unknown): Step<void> {
    if (sent !== undefined) return READY;
    this.task = running;
    timers.push(performance.now() + this.delay, this);
    return suspend(this);
  }

  throw(error: unknown): never {
    throw error;
  }

  leave(): boolean {
    if (this.task === null) return false;
    this.task = null;
    timers.noteCancelled();
    return true;
  }

  cancelled(): boolean {
    return this.task === null;
  }

  fire(): void {
    ready.push(this.task as Task<unknown>);
    this.task = null;
  }
}

export function sleep(milliseconds: number): Awaitable<void> {
  return milliseconds <= 0 ? pass : new Sleep(milliseconds);
}

class Callback implements Timer {
  declare callback: (() => void) | null;

  constructor(callback: () => void) {
    this.callback = callback;
  }

  cancel(): void {
    if (this.callback === null) return;
    this.callback = null;
    timers.noteCancelled();
  }

  cancelled(): boolean {
    return this.callback === null;
  }

  fire(): void {
    const callback = this.callback as () => void;
    this.callback = null;
    callback();
  }
}

export function callLater(milliseconds: number, callback: () => void): { cancel(): void } {
  const timer = new Callback(callback);
  timers.push(performance.now() + milliseconds, timer);
  return timer;
}

/** A call with a timer. */
class Timeout<T> extends Call<T> implements Timer {
  declare limit: number;
  /** Who is in time so far; null when it is over. */
  declare task: Task<unknown> | null;

  constructor(limit: number, body: Coroutine<T>) {
    super(body);
    this.limit = limit;
    this.task = null;
  }

  override next(sent: unknown): Step<T> {
    if (sent === undefined) {
      this.task = running;
      timers.push(performance.now() + this.limit, this);
      try {
        const result = super.next(undefined);
        if (result.done !== true) return result;
        this.result = result;
      } catch (error) {
        this.error = error;
      }
    }
    if (this.task !== null) {
      this.task = null;
      timers.noteCancelled();
    } else if (this.error === CANCELLED) this.error = TIMED_OUT;
    return super.next(RESUME);
  }

  cancelled(): boolean {
    return this.task === null;
  }

  fire(): void {
    this.task?.cancel();
    this.task = null;
  }
}

export function timeout<T>(milliseconds: number, body: Coroutine<T>): Awaitable<T> {
  return new Timeout(milliseconds, body);
}

const settled = Promise.resolve();
let alarm: NodeJS.Timeout | undefined;

/** PERF  in a microtask a throw costs half: elsewhere V8 looks up the place in the source of each error that is thrown. */
function wakeUp(): void {
  settled.then(slice);
}

/** Runs what is ready for as long as a slice lasts. The clock costs as much as two steps, so it is not read after each. */
function slice(): void {
  clearTimeout(alarm);
  const start = performance.now();
  do {
    for (let left = STRIDE; left > 0 && ready.length > 0; left--) step(ready.shift());
    timers.fire(performance.now());
  } while (ready.length > 0 && performance.now() - start < SLICE);
  const next = timers.next();
  if (ready.length > 0) setImmediate(wakeUp);
  else if (next < Number.POSITIVE_INFINITY) alarm = setTimeout(wakeUp, Math.ceil(next - performance.now()));
}

export function run<T>(main: Coroutine<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    function* report(task: Task<T>): Coroutine<void> {
      try {
        resolve(yield* task);
      } catch (error) {
        reject(error);
      }
    }
    new Task(report(new Task(main)));
    setImmediate(wakeUp);
  });
}
