/** What programs that are printed as TypeScript are written with: each statement notes what comes of it. */

import {
  type Awaitable,
  type Barrier,
  type Coroutine,
  currentTask,
  type Event,
  type Future,
  isCancelled,
  type Lock,
  type Queue,
  type Semaphore,
  sleep,
  Task,
  type TaskGroup,
  type Timeout,
} from "tsyncio";
import { Boom, show, showError, type Tools } from "./trace.ts";

/** What ends a block by a return statement, inside of a `function*` of its own. */
export class Returned {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}

export type Body = (me: string, groups: readonly TaskGroup[]) => Coroutine<unknown>;

/** What a program's tasks share, as far as it is used. */
interface Objects {
  futures: Future<unknown>[];
  slots: Future<unknown>[];
  locks?: Lock[];
  semaphores?: Semaphore[];
  events?: Event[];
  queues?: Queue<number>[];
  barriers?: Barrier[];
}

export function straight({ log, loop }: Tools) {
  /** Notes the result, or the error, which goes on. */
  function* step(label: string, make: () => Awaitable<unknown>): Coroutine<unknown> {
    let result: unknown;
    try {
      result = yield* make() as Coroutine<unknown>;
    } catch (error) {
      log(`${label}!${showError(error)}`);
      throw error;
    }
    if (!(result instanceof Returned)) log(`${label}=${show(result)}`);
    return result;
  }

  /** An error other than a cancellation ends here. */
  function* safely(label: string, make: () => Awaitable<unknown>): Coroutine<unknown> {
    try {
      return yield* step(label, make);
    } catch (error) {
      if (isCancelled(error)) throw error;
      return undefined;
    }
  }

  /** Does not wait. Any error ends here. */
  function act(label: string, make: () => unknown): void {
    try {
      log(`${label}=${show(make())}`);
    } catch (error) {
      log(`${label}!${showError(error)}`);
    }
  }

  /** An error of our own that goes on. */
  function boom(label: string, message: string): never {
    const error = new Boom(message);
    log(`${label}!${showError(error)}`);
    throw error;
  }

  /** Notes the start and the end of a body. */
  function traced(body: Body) {
    return function* (me: string, groups: readonly TaskGroup[] = []): Coroutine<unknown> {
      log(`${me} start`);
      let value: unknown;
      try {
        value = yield* body(me, groups);
      } catch (error) {
        log(`${me} end!${showError(error)}`);
        throw error;
      }
      if (value instanceof Returned) value = value.value;
      log(`${me} end=${show(value)}`);
      return value;
    };
  }

  /** Nothing hangs for long: futures are resolved, then everybody is cancelled. What is left at last is noted. */
  function* supervised(script: Body, horizon: number, objects: Objects): Coroutine<void> {
    const { futures, slots, locks = [], semaphores = [], events = [], queues = [], barriers = [] } = objects;
    const me = currentTask();
    const closed = semaphores.map((semaphore) => semaphore.locked());
    loop.callAt(horizon - 5, () => {
      for (const future of futures) if (!future.done()) future.setResult("late");
    });
    loop.callAt(horizon - 1, () => me?.cancel("watchdog"));
    loop.callAt(horizon, () => me?.cancel("watchdog2"));
    try {
      const value = yield* script("m", []);
      log(`m end=${show(value instanceof Returned ? value.value : value)}`);
    } catch (error) {
      log(`m end!${showError(error)}`);
    }
    for (let i = 0; i < 3; i++) {
      try {
        yield* sleep(horizon / 2);
        for (const [slot, future] of slots.entries()) {
          if (!future.done()) log(`cancel ${slot} ${show(future.cancel("end"))}`);
        }
      } catch (error) {
        log(`drain!${showError(error)}`);
      }
    }
    for (const [slot, future] of slots.entries()) log(`slot ${slot} ${state(future)}`);
    for (const [i, lock] of locks.entries()) if (lock.locked()) log(`held lock ${i}`);
    for (const [i, semaphore] of semaphores.entries()) {
      if (semaphore.locked() !== closed[i]) log(`held semaphore ${i} ${semaphore.locked()}`);
    }
    for (const [i, event] of events.entries()) if (event.isSet()) log(`held event ${i}`);
    for (const [i, queue] of queues.entries()) if (!queue.empty()) log(`held queue ${i} ${queue.qsize()}`);
    for (const [i, barrier] of barriers.entries()) {
      if (barrier.nWaiting > 0 || barrier.broken) log(`held barrier ${i} ${barrier.nWaiting} ${barrier.broken}`);
    }
  }

  return { step, safely, act, boom, traced, supervised };
}

export function state(future: Future<unknown>): string {
  if (!future.done()) return "pending";
  if (future.cancelled()) return "cancelled";
  const error = future.exception();
  return error !== null ? `!${showError(error)}` : `=${show(future.result())}`;
}

/** What a task says, which a mere future cannot. */
export function ifTask<T>(future: Future<unknown> | undefined, what: (task: Task<unknown>) => T): T | "none" {
  return future instanceof Task ? what(future) : "none";
}

export function nameOf(task: Task<unknown>): string {
  return task.name.replace(/^Task-\d+$/, "unnamed");
}

/** What encloses the statement, counted outward. */
export function outward<T>(enclosing: readonly T[], steps: number): T {
  if (enclosing.length === 0) throw new Boom("not inside");
  return enclosing.at(-1 - (steps % enclosing.length)) as T;
}

export function describe(scope: Timeout): string {
  return `${scope.when() === Number.POSITIVE_INFINITY ? "never" : scope.when()} ${scope.expired()}`;
}
