/** What happens at a time, unless it is cancelled before. */
export interface Timer {
  cancelled(): boolean;
  fire(): void;
}

/** Below this size, timers that are cancelled are left where they are. */
const SWEPT = 100;

/** A heap whose keys are numbers in a typed array. Cancelling only counts; when most timers are cancelled they are all thrown out. */
export class Timers {
  // INVARIANT  the parent of i is (i - 1) >> 1, and not later than i.
  #when = new Float64Array(16);
  readonly #timers: Timer[] = [];
  #cancelled = 0;

  push(when: number, timer: Timer): void {
    const timers = this.#timers;
    let i = timers.length;
    timers.push(timer);
    if (i === this.#when.length) {
      const longer = new Float64Array(2 * i);
      longer.set(this.#when);
      this.#when = longer;
    }
    const keys = this.#when;
    for (; i > 0; ) {
      const parent = (i - 1) >> 1;
      const key = keys[parent] as number;
      if (key <= when) break;
      keys[i] = key;
      timers[i] = timers[parent] as Timer;
      i = parent;
    }
    keys[i] = when;
    timers[i] = timer;
  }

  noteCancelled(): void {
    const length = this.#timers.length;
    if (++this.#cancelled * 2 <= length || length <= SWEPT) return;
    const [keys, timers] = [this.#when, this.#timers.splice(0)];
    this.#when = new Float64Array(keys.length);
    this.#cancelled = 0;
    for (const [i, timer] of timers.entries()) if (!timer.cancelled()) this.push(keys[i] as number, timer);
  }

  /** Infinity where there is none. */
  next(): number {
    while (this.#timers[0]?.cancelled()) {
      this.#pop();
      this.#cancelled--;
    }
    return this.#timers.length === 0 ? Number.POSITIVE_INFINITY : (this.#when[0] as number);
  }

  fire(now: number): void {
    while (this.next() <= now) this.#pop().fire();
  }

  #pop(): Timer {
    const [keys, timers] = [this.#when, this.#timers];
    const first = timers[0] as Timer;
    const timer = timers.pop() as Timer;
    const length = timers.length;
    if (length === 0) return first;
    const when = keys[length] as number;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && (keys[child + 1] as number) < (keys[child] as number)) child++;
      if (when <= (keys[child] as number)) break;
      keys[i] = keys[child] as number;
      timers[i] = timers[child] as Timer;
      i = child;
    }
    keys[i] = when;
    timers[i] = timer;
    return first;
  }
}
