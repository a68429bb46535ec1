/** What a test's body has at hand to steer the test. */

import { type Duration, milliseconds } from "../base/duration.ts";
import { unexpected } from "../base/errors.ts";
import { sleep } from "../flow/sleep.ts";
import { operation } from "../kernel/coroutine.ts";
import { standIn } from "../kernel/future.ts";
import type { Body } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { VirtualHost } from "./virtual-host.ts";

/** A test's body: a `function*` or an async function, which is given its context. */
export type TestBody<T = unknown> = Body<[context: TestContext], T>;

/** Passed to the bodies of `runTest`, `explore`, `replay` and `cancelEverywhere`. */
export interface TestContext {
  /** The loop of the test. */
  readonly loop: EventLoop;
  /** The virtual time, in milliseconds. */
  now(): number;
  /**
   * Lets virtual time pass, and whatever is due in it happen.
   *
   * **Suspends** until all other tasks wait again, that much later. **Cancel** ends it at once.
   */
  advance(duration: Duration): Operation<void>;
  /** **Suspends** until all other tasks wait for something that is not there yet; time does not pass. **Cancel** ends it at once. */
  settle(): Operation<void>;
  /** Adds a check that must hold after every step of every task; it throws when it does not. */
  invariant(check: () => void): void;
  /** Adds a check for the end, however the body ends: when all tasks have ended. */
  atEnd(check: () => void): void;
  /**
   * One of the numbers from 0 to `count - 1`: `explore` tries them all, elsewhere it is 0. For what the outside world decides: does
   * this request fail?
   */
  choose(count: number): number;
}

/** The part of a context that does not depend on who runs the test. */
export class BaseContext implements TestContext {
  readonly loop: EventLoop;
  readonly #host: VirtualHost;
  /** @internal */
  readonly _invariants: (() => void)[] = [];
  /** @internal */
  readonly _endChecks: (() => void)[] = [];
  readonly #choose: (count: number) => number;

  constructor(loop: EventLoop, host: VirtualHost, choose: (count: number) => number) {
    this.loop = loop;
    this.#host = host;
    this.#choose = choose;
  }

  now(): number {
    return this.#host.now();
  }

  advance(duration: Duration): Operation<void> {
    const delay = milliseconds(duration, "duration");
    return operation(this.#advance(delay), "advance");
  }

  settle(): Operation<void> {
    return operation(this.#settle(), "settle");
  }

  invariant(check: () => void): void {
    this._invariants.push(checked(check, "invariant"));
  }

  atEnd(check: () => void): void {
    this._endChecks.push(checked(check, "atEnd"));
  }

  choose(count: number): number {
    if (!Number.isInteger(count) || count < 1) throw unexpected("`count` to be an integer ≥ 1", count);
    return this.#choose(count);
  }

  *#advance(delay: number): Coroutine<void> {
    this.#host.advance(delay);
    yield* sleep(delay);
    yield* this.#settle();
  }

  *#settle(): Coroutine<void> {
    const settled = standIn<void>(this.loop, { describe: () => "all others to wait" });
    this.#host.whenSettled(() => {
      if (!settled.done()) settled.setResult();
    });
    yield* settled;
  }
}

function checked(check: () => void, method: string): () => void {
  if (typeof check === "function") return check;
  throw unexpected(`a function for ${method}()`, check, "it throws when the check fails");
}
