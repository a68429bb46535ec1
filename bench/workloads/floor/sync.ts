/** What tasks share, on top of runtime.ts. Each line holds tasks; a wait makes no object. */

import { Ring } from "./ring.ts";
import { type Awaitable, current, READY, type Step, suspend, type Task, type Wait, wake } from "./runtime.ts";

/** What need not be waited for: an iterator that is over as soon as it begins. */
class Now {
  [Symbol.iterator](): Iterator<undefined, void, unknown> {
    return this;
  }

  next(): Step<void> {
    return READY;
  }
}

const NOW = new Now();

/** The tasks that wait, first come, first served; `yield*` stands in line until it is woken. */
class Line implements Wait {
  readonly tasks = new Ring<Task<unknown>>();
  readonly #refused: () => void;

  /** @param refused - Called for a task that was woken, but cancelled before it ran: what it was woken for is another one's. */
  constructor(refused: () => void) {
    this.#refused = refused;
  }

  /** Wakes the first; false when there is none. */
  wakeFirst(): boolean {
    if (this.tasks.length === 0) return false;
    wake(this.tasks.shift());
    return true;
  }

  [Symbol.iterator](): Iterator<undefined, void, unknown> {
    return this;
  }

  next(sent?: unknown): Step<void> {
    if (sent !== undefined) return READY;
    this.tasks.push(current());
    return suspend(this);
  }

  throw(error: unknown): never {
    // A task that was cancelled in line has nothing to wait for any more.
    if (current().waits === this) this.#refused();
    throw error;
  }

  leave(task: Task<unknown>): boolean {
    return this.tasks.remove(task);
  }
}

/** Stands in a line as often as it must, until an attempt gives a result. */
class Retry<T> {
  readonly #line: Line;
  readonly #attempt: () => Step<T> | null;

  constructor(line: Line, attempt: () => Step<T> | null) {
    this.#line = line;
    this.#attempt = attempt;
  }

  [Symbol.iterator](): Iterator<undefined, T, unknown> {
    return this;
  }

  next(): Step<T> {
    return this.#attempt() ?? (this.#line.next() as Step<never>);
  }

  throw(error: unknown): never {
    return this.#line.throw(error);
  }
}

/** A number of permits; each goes straight from who releases it to who is first in line. */
export class Semaphore {
  #free: number;
  readonly #line = new Line(() => this.release());

  constructor(permits: number) {
    this.#free = permits;
  }

  acquire(): Awaitable<void> {
    if (this.#free === 0) return this.#line;
    this.#free--;
    return NOW;
  }

  release(): void {
    if (!this.#line.wakeFirst()) this.#free++;
  }
}

export class Event {
  #set = false;
  readonly #line = new Line(() => {});

  set(): void {
    this.#set = true;
    while (this.#line.wakeFirst());
  }

  wait(): Awaitable<void> {
    return this.#set ? NOW : this.#line;
  }
}

/** A queue of limited size. Who is woken looks again, as another one may have been faster. */
export class Queue<T> {
  readonly #size: number;
  readonly #items = new Ring<T>();
  readonly #getters = new Line(() => this.#getters.wakeFirst());
  readonly #putters = new Line(() => this.#putters.wakeFirst());
  /** The result of every get: `yield*` reads it at once. */
  readonly #taken = { done: true as const, value: undefined as T };
  readonly #get: Retry<T>;

  constructor(size: number) {
    this.#size = size;
    this.#get = new Retry(this.#getters, () => this.#tryGet());
  }

  get(): Awaitable<T> {
    return this.#get;
  }

  put(item: T): Awaitable<void> {
    return this.#tryPut(item) === null ? new Retry(this.#putters, () => this.#tryPut(item)) : NOW;
  }

  #tryGet(): Step<T> | null {
    if (this.#items.length === 0) return null;
    this.#taken.value = this.#items.shift();
    this.#putters.wakeFirst();
    return this.#taken;
  }

  #tryPut(item: T): Step<void> | null {
    if (this.#items.length === this.#size) return null;
    this.#items.push(item);
    this.#getters.wakeFirst();
    return READY;
  }
}
