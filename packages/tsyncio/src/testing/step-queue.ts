/** The ready queue of a loop under virtual time: that of any other loop, with a pause from time to time. */

import { Deque } from "../base/deque.ts";
import type { Runnable } from "../kernel/handle.ts";
import type { ReadyQueue } from "../kernel/host.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { Lanes, moved } from "../kernel/priority.ts";
import type { Task } from "../kernel/task.ts";

/** Entries after which the host gets the thread back: the virtual clock never says that a slice is over. */
export const PAUSE = 1024;

export class StepQueue implements ReadyQueue {
  readonly #loop: EventLoop;
  #entries: ReadyQueue = new Deque<Runnable>();
  #taken = 0;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  get length(): number {
    return this.#entries.length;
  }

  push(entry: Runnable): void {
    this.#entries.push(entry);
  }

  shift(): Runnable | undefined {
    if (++this.#taken % PAUSE === 0) this.#loop._settling = true;
    return this.#entries.shift();
  }

  rankBy(rankOf: ((entry: Runnable) => number) | null): void {
    this.#entries = moved(this.#entries, rankOf === null ? new Deque<Runnable>() : new Lanes());
  }

  move(task: Task<unknown>): void {
    this.#entries.move?.(task);
  }
}
