/** Waiting for a state of something that changes: whoever asks is told once what it asks for holds. */

import type { EventLoop } from "../kernel/loop.ts";
import { done, type Operation } from "../kernel/operation.ts";
import type { WaitForAny } from "../kernel/priority.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import { bindLoop } from "../sync/loop-bound.ts";
import { Waiter, Waiters } from "../sync/waiters.ts";

/** What is watched. */
export interface Watched extends WaitSource {
  /** @internal */
  _loop: EventLoop | null;
}

/** Those that wait for a state. */
export class Watchers<W extends Watched> {
  readonly #watched: W;
  readonly #line = new Waiters();

  constructor(watched: W) {
    this.#watched = watched;
  }

  /** An operation that ends when the predicate holds. */
  until(predicate: (watched: W) => boolean, name: string): Operation<void> {
    return new WaitUntil(this.#watched, this.#line, predicate, name) as unknown as Operation<void>;
  }

  /** Told of each change. PERF  nobody watches, as a rule. */
  changed(): void {
    if (this.#line.first !== null) this.#look();
  }

  #look(): void {
    for (const each of this.#line) {
      const waiter = each as WaitUntil<W>;
      if (waiter._holds()) waiter._wake();
    }
  }
}

class WaitUntil<W extends Watched> extends Waiter<void> {
  declare readonly _watched: W;
  declare readonly _line: Waiters;
  declare readonly _predicate: (watched: W) => boolean;
  declare readonly _name: string;

  constructor(watched: W, line: Waiters, predicate: (watched: W) => boolean, name: string) {
    super();
    this._watched = watched;
    this._line = line;
    this._predicate = predicate;
    this._name = name;
  }

  override _start(): IteratorResult<Suspension, void> {
    bindLoop(this._watched);
    return this._lookAgain();
  }

  /** RACE  1. it holds, the waiter is woken   2. another task changes it back   3. so it is looked at again. */
  override _resume(): IteratorResult<Suspension, void> {
    this._line.leave(this);
    return this._lookAgain();
  }

  _lookAgain(): IteratorResult<Suspension, void> {
    if (this._predicate(this._watched)) return done(undefined);
    this._line.join(this);
    return this._wait();
  }

  /** One that throws must do so in the task that waits, not in the one that has changed something: it is woken, and looks again. */
  _holds(): boolean {
    try {
      return this._predicate(this._watched);
    } catch {
      return true;
    }
  }

  override _abandon(): void {
    this._line.leave(this);
  }

  override describe(): string {
    return this._name;
  }

  override _waitsFor(): WaitForAny {
    const watched = this._watched;
    return {
      describe: () => `${this._name} of ${watched.describe()}`,
      holders: () => watched.holders?.() ?? [],
      _parts: () => [watched],
    };
  }
}
