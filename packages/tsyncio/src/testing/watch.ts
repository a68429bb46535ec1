/** Watches one loop through the kernel's probe: which tasks it has had, which locks, and whose cancellation was swallowed. */

import { current } from "../kernel/current.ts";
import { FINISHED, type Future } from "../kernel/future.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { type Probe, setProbe } from "../kernel/probe.ts";
import { PromiseWait } from "../kernel/promise-wait.ts";
import type { Task } from "../kernel/task.ts";
import { WAS_CANCELLED } from "../kernel/task-flags.ts";
import type { Problem } from "./problems.ts";

/** A task, and the steps of its loop at which it was made and ended. */
export interface Life {
  readonly task: Task<unknown>;
  readonly born: number;
  ended: number;
}

export class Watch {
  /** All tasks of the loop, in order of birth, if somebody wants to know: a test may have a million of them. */
  readonly lives: Map<Task<unknown>, Life> | null;
  /** How many steps the loop has taken. */
  steps = 0;
  /** The locks, queues and so on that were used. */
  readonly primitives: object[] = [];
  /** Tasks that were cancelled and returned a value all the same. */
  readonly swallowed: Task<unknown>[] = [];
  /** Told of each task that begins to wait. The wait for an async body is a shell: what the body waits for is told, too. */
  onWait: (task: Task<unknown>, shell: boolean) => void = () => {};
  /** Told of what is found while the loop runs. */
  onProblem: (problem: Problem) => void = () => {};
  readonly #loop: EventLoop;

  constructor(loop: EventLoop, keepLives = false) {
    this.#loop = loop;
    this.lives = keepLives ? new Map() : null;
    if (watches.size === 0) previous = setProbe(dispatcher);
    watches.set(loop, this);
  }

  stop(): void {
    watches.delete(this.#loop);
    if (watches.size === 0 && current.probe === dispatcher) setProbe(previous);
  }
}

/** The watch of a loop, if it is under test. */
export function watchOf(loop: EventLoop): Watch | undefined {
  return watches.get(loop);
}

// There is one slot and there may be many watches: tests run side by side, and a tool may have been there before.
const watches = new Map<EventLoop, Watch>();
let previous: Probe | null = null;

const dispatcher: Probe = {
  created(task) {
    const watch = watches.get(task._loop);
    watch?.lives?.set(task, { task, born: watch.steps, ended: Number.POSITIVE_INFINITY });
    previous?.created(task);
  },
  stepping(task) {
    previous?.stepping(task);
  },
  stepped(task) {
    previous?.stepped(task);
  },
  waits(task: Task<unknown>, what: Future<unknown> | null) {
    watches.get(task._loop)?.onWait(task, what instanceof PromiseWait);
    previous?.waits(task, what);
  },
  cancelled(task) {
    previous?.cancelled(task);
  },
  finished(task) {
    const watch = watches.get(task._loop);
    const life = watch?.lives?.get(task);
    if (watch !== undefined && life !== undefined) life.ended = watch.steps;
    const ignored = task._state === FINISHED && task._cancels > 0 && (task._flags & WAS_CANCELLED) !== 0;
    if (ignored && task._self() === task) watch?.swallowed.push(task);
    previous?.finished(task);
  },
  bound(primitive, loop) {
    watches.get(loop)?.primitives.push(primitive);
    previous?.bound(primitive, loop);
  },
  held(source) {
    previous?.held(source);
  },
};
