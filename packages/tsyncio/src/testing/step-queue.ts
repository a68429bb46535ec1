/** The ready queue of a loop under virtual time: first in, first out, with a pause from time to time. */

import { Deque } from "../base/deque.ts";
import type { Runnable } from "../kernel/handle.ts";
import type { EventLoop } from "../kernel/loop.ts";

/** Entries after which the host gets the thread back: the virtual clock never says that a slice is over. */
export const PAUSE = 1024;

export class StepQueue extends Deque<Runnable> {
  readonly #loop: EventLoop;
  #taken = 0;

  constructor(loop: EventLoop) {
    super();
    this.#loop = loop;
  }

  override shift(): Runnable | undefined {
    if (++this.#taken % PAUSE === 0) this.#loop._settling = true;
    return super.shift();
  }
}
