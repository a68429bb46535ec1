/** A fair line of waiters, used by every primitive: joining and leaving are O(1), in any order. */

import { type Linked, LinkedList } from "../base/linked-list.ts";
import { done, Op, WOKEN } from "../kernel/operation.ts";
import type { LineOrder } from "../kernel/priority.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";

/** What stands in a line. */
export interface InLine extends Linked<InLine> {
  inLine: boolean;
  cancelled(): boolean;
  /** @internal */
  _wake(): boolean;
  /** @internal */
  readonly _stage: number;
  /** @internal */
  readonly _waiting: unknown;
}

/** An operation that stands in a line while it waits. */
export abstract class Waiter<T> extends Op<T> implements InLine {
  declare _previous: InLine | null;
  declare _next: InLine | null;
  declare inLine: boolean;

  constructor() {
    super();
    this._previous = null;
    this._next = null;
    this.inLine = false;
  }
}

export class Waiters extends LinkedList<InLine> {
  /** @internal Who goes first, where that is not whoever came first. */
  declare readonly _order: LineOrder | null;

  constructor(order: LineOrder | null = null) {
    super();
    this._order = order;
  }

  /** Who is to be woken next: by arrival, the first of all; by priority, the first of those that sleep. */
  next(): InLine | null {
    return this._order === null ? this.first : this._order.pick(this.first);
  }

  /** Who is next, for one that only looks. */
  peek(): InLine | null {
    return this._order === null ? this.first : this._order.peek(this.first);
  }

  /** Wakes whoever is next, unless somebody has been woken and has not run yet. */
  wakeOne(): void {
    if (this._order === null || !this._order.anyWoken(this.first)) this.next()?._wake();
  }

  /** Wakes the first one that still sleeps; says whether there was one. */
  wakeNext(): boolean {
    if (this._order !== null) return this.next()?._wake() === true;
    for (let waiter = this.first; waiter !== null; waiter = waiter._next) if (waiter._wake()) return true;
    return false;
  }

  /** Joins the line. */
  join(waiter: InLine): void {
    waiter.inLine = true;
    this.push(waiter);
  }

  /** Leaves the line; harmless when it has left. */
  leave(waiter: InLine): void {
    if (!waiter.inLine) return;
    waiter.inLine = false;
    this.remove(waiter);
  }

  /** The tasks that have been woken and have not run yet. */
  woken(): Task<unknown>[] {
    const tasks: Task<unknown>[] = [];
    for (let waiter = this.first; waiter !== null; waiter = waiter._next) {
      const task = waiter._stage === WOKEN ? (waiter._waiting as Partial<Task<unknown>> | null)?._self?.() : undefined;
      if (task) tasks.push(task);
    }
    return tasks;
  }

  /** Whether somebody stands in line who is not cancelled. */
  anyAlive(): boolean {
    for (let waiter = this.first; waiter !== null; waiter = waiter._next) if (!waiter.cancelled()) return true;
    return false;
  }
}

/** Wakes all that still sleep, in order of arrival. */
export function wakeAll(line: Waiters): void {
  for (let waiter = line.first; waiter !== null; waiter = waiter._next) waiter._wake();
}

/** Stands in a line until it is woken or its task is cancelled, and leaves it then: the wait of what is written as a generator. */
export class Place extends Waiter<void> {
  declare readonly _line: Waiters;
  declare readonly _source: WaitSource;

  constructor(line: Waiters, source: WaitSource) {
    super();
    this._line = line;
    this._source = source;
  }

  override _start(): IteratorResult<Suspension, void> {
    this._line.join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, void> {
    this._line.leave(this);
    return done(undefined);
  }

  override _abandon(): void {
    this._line.leave(this);
  }

  override describe(): string {
    return "wait";
  }

  override _waitsFor(): WaitSource {
    return this._source;
  }
}
