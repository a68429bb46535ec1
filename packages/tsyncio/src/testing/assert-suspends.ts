/** Whether a piece of code lets other tasks run: part of what an operation promises. */

import { RuntimeError } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { currentTask, getRunningLoop } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Watch, watchOf } from "./watch.ts";

/**
 * Runs a body and fails if it never waits: if no other task could have run meanwhile.
 *
 * @returns what the body returns.
 * @throws {RuntimeError} `NEVER_SUSPENDED` when the body ended without waiting; what the body throws.
 *
 * **Suspends** as the body does. **Cancel** goes to the body. **Source** trio.testing `assert_checkpoints`.
 *
 * @example
 * ```ts no-task
 * await runTest(function* () {
 *   return yield* assertSuspends(() => sleep(0, "waited"));
 * }); // => "waited"
 * ```
 */
export function assertSuspends<T>(body: Body<[], T>): Operation<T> {
  checkBody(body, "assertSuspends");
  return operation(
    counting(body, (waits) => {
      if (waits === 0)
        throw new RuntimeError("Expected the body to wait at least once, but nobody else could run", "NEVER_SUSPENDED");
    }),
    "assertSuspends",
  );
}

/**
 * Runs a body and fails if it ever waits: if another task could have run meanwhile.
 *
 * @returns what the body returns.
 * @throws {RuntimeError} `SUSPENDED` when the body has waited; what the body throws.
 *
 * **Suspends** never, unless it fails. **Cancel** goes to the body. **Source** trio.testing `assert_no_checkpoints`.
 *
 * @example
 * ```ts no-task
 * await runTest(function* () {
 *   const lock = new Lock();
 *   const guard = yield* assertNeverSuspends(() => lock.acquire());
 *   guard.release();
 *   return lock.locked();
 * }); // => false
 * ```
 */
export function assertNeverSuspends<T>(body: Body<[], T>): Operation<T> {
  checkBody(body, "assertNeverSuspends");
  return operation(
    counting(body, (waits) => {
      if (waits > 0) throw new RuntimeError(`Expected the body not to wait, but it waited ${waits} times`, "SUSPENDED");
    }),
    "assertNeverSuspends",
  );
}

function* counting<T>(body: Body<[], T>, check: (waits: number) => void): Coroutine<T> {
  const loop = getRunningLoop();
  const watched = watchOf(loop);
  const watch = watched ?? new Watch(loop);
  const task = currentTask();
  const onWait = watch.onWait;
  let waits = 0;
  watch.onWait = (who, shell) => {
    onWait(who, shell);
    if (who === task && !shell) waits++;
  };
  try {
    const result = yield* callBody(body);
    check(waits);
    return result;
  } finally {
    watch.onWait = onWait;
    if (watched === undefined) watch.stop();
  }
}
