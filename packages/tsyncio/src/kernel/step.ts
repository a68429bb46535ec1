/** One step of a task: from where it waits to where it waits next, or to its end. */

import { CancelledError, isCancelled, RuntimeError, show } from "../base/errors.ts";
import type { ContextSlot } from "./context.ts";
import { current } from "./current.ts";
import { adoptSegment, type Frame, segment } from "./frames.ts";
import { FAILED, FINISHED, Future, PENDING } from "./future.ts";
import { isCoroutine, isGenerator, isGeneratorFunction, isPromiseLike, take } from "./kinds.ts";
import type { EventLoop } from "./loop.ts";
import { PromiseWait } from "./promise-wait.ts";
import type { Coroutine, Wait } from "./suspended.ts";
import type { Task } from "./task.ts";
import { MUST_CANCEL, RETRIEVED, WAS_CANCELLED } from "./task-flags.ts";

/** Runs one step of a task: from where it waits to where it waits next, or to its end. */
export function step(task: Task<unknown>): void {
  if (task._state !== PENDING) return;
  const self = task._self();
  const outerTask = current.task;
  const outerContext = current._context;
  current.task = task;
  current._context = self._context;
  const probe = current.probe;
  if (probe !== null) probe.stepping(self);

  const waiter = task._waiter;
  if (waiter !== null) task._waiter = null;
  let failed = false;
  let error: unknown;
  // The end of an async body is no wait of the library's: a cancellation that is due stays so until the next one that is.
  if ((task._flags & MUST_CANCEL) !== 0 && !(waiter instanceof PromiseWait)) {
    failed = true;
    error = cancellation(task, waiter);
  } else if (waiter?._failed()) {
    failed = true;
    error = waiter._takeError();
  }
  if (failed && isCancelled(error)) self._flags |= WAS_CANCELLED;

  let frame = task._leaf;
  let coroutine = coroutineOf(task, frame);
  for (;;) {
    let result: IteratorResult<unknown, unknown>;
    let ended: boolean;
    try {
      // Before the first step of a function, there is no coroutine yet. A task that is cancelled by then never calls it.
      if (typeof coroutine === "function" && !failed) coroutine = task._root = call(task, coroutine) as Coroutine<unknown>;
      if (failed) {
        failed = false;
        if (typeof coroutine === "function") throw error;
        result = coroutine.throw(error);
      } else result = coroutine.next();
      ended = result.done === true;
    } catch (caught) {
      const thrown = explain(error, caught);
      if (frame === null) {
        leave(self, outerTask, outerContext);
        task._threw(thrown);
        break;
      }
      frame._abort(thrown);
      frame = frame._caller;
      coroutine = coroutineOf(task, frame);
      continue;
    }
    if (ended) {
      if (frame === null) {
        leave(self, outerTask, outerContext);
        task._ended(result.value);
        break;
      }
      frame._complete(result);
      frame = frame._caller;
      coroutine = coroutineOf(task, frame);
      continue;
    }
    if (segment.result !== null) task._leaf = adoptSegment(frame, result);
    else if (task._leaf !== frame) task._leaf = frame;
    try {
      suspend(task, result.value);
    } catch (unforeseen) {
      // What was yielded is foreign: even to look at it may throw.
      task._throwSoon(unforeseen);
    }
    leave(self, outerTask, outerContext);
    break;
  }
  if (probe !== null) probe.stepped(self);
}

/** What a resume goes to: the leaf of the wrapped calls, or the root where there is none. */
function coroutineOf(task: Task<unknown>, frame: Frame | null): Generator<unknown, unknown, unknown> {
  return frame === null ? (task._root as Coroutine<unknown>) : frame._generator;
}

function leave(self: Task<unknown>, outerTask: Task<unknown> | null, outerContext: ContextSlot): void {
  if (self._context !== current._context) self._context = current._context;
  current.task = outerTask;
  current._context = outerContext;
}

/** Parks the task on what it yielded. */
export function suspend(task: Task<unknown>, yielded: unknown): void {
  if (yielded === undefined) {
    task._loop._enqueue(task);
    if (current.probe !== null) current.probe.waits(task._self(), null);
    return;
  }
  const wait = yielded as Wait | null | undefined;
  const error = typeof wait?._park === "function" ? wait._park(task) : undefined;
  if (error === null) {
    task._waiter = wait as Wait;
    if (current.probe !== null) current.probe.waits(task._self(), wait as Wait);
    // It was cancelled while it ran, so what it waits for now is cancelled at once.
    if ((task._flags & MUST_CANCEL) !== 0 && (wait as Wait)._interrupt(task._cancelMessage())) task._flags &= ~MUST_CANCEL;
  } else task._throwSoon(error ?? badYield(task, yielded));
}

/** The error for a step with a cancellation due. The cancellation that the wait itself ended with goes first, as in asyncio. */
function cancellation(task: Task<unknown>, waiter: Wait | null): unknown {
  task._flags &= ~MUST_CANCEL;
  if (waiter?._failed()) {
    if (waiter instanceof Future && waiter._state === FAILED && !isCancelled(waiter._outcome)) {
      // Its error is not going to be seen here; if nobody else looks at it either, it must be reported.
      if ((waiter._flags & RETRIEVED) === 0) waiter._loop._failures.note(waiter);
    } else {
      const error = waiter._takeError();
      if (isCancelled(error)) return error;
    }
  }
  return new CancelledError(task._cancelMessage());
}

/** Calls the function that a task was made of, and gives the coroutine to drive. */
function call(task: Task<unknown>, fn: () => unknown): unknown {
  const made = isGeneratorFunction(fn) ? fn() : asAsyncFunctionOf(task, fn);
  if (!isCoroutine(made)) return asFuture(task, made);
  // What a function* has just made is nobody else's.
  if (!isGenerator(made) || !isGeneratorFunction(fn)) take(made);
  return made;
}

/** What an ordinary function of a task has returned, as a Future: a promise to wait for, or the result itself. */
export function asFuture(task: Task<unknown>, made: unknown): Future<unknown> {
  if (made instanceof Future) return made;
  return isPromiseLike(made) ? new PromiseWait(made, task._loop) : settled(task._loop, FINISHED, made);
}

/** Calls a function so that, after its `await`s, it is still known to belong to the task. */
export function asAsyncFunctionOf<R>(task: Task<unknown>, fn: () => R): R {
  current.asyncTask ??= task._loop._host.createAsyncLocal<Task<unknown>>();
  return current.asyncTask === null ? fn() : current.asyncTask.run(task, fn);
}

/** A future that has ended already, for an outcome that somebody asks a future for. */
export function settled(loop: EventLoop, state: number, outcome: unknown): Future<unknown> {
  const future = new Future<unknown>(undefined, loop);
  future._state = state;
  future._outcome = outcome;
  return future;
}

/** `yield*` on an array answers an error that is thrown into it with a TypeError of the engine's, which explains nothing. */
function explain(error: unknown, caught: unknown): unknown {
  if (!(error instanceof RuntimeError && error.code === "BAD_YIELD" && caught instanceof TypeError)) return caught;
  error.cause = caught;
  return error;
}

function badYield(task: Task<unknown>, value: unknown): Error {
  const remedy = current.debugTools?.remedyFor(value) ?? "await it by `yield*`; give a value back by `return`";
  return new RuntimeError(`Cannot yield ${show(value)} in task "${task.name}": ${remedy}`, "BAD_YIELD");
}
