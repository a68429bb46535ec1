/** How fast something goes, smoothed: what a rate and a time to go are told from. */

/** The time constant in milliseconds: what was 10 s ago counts a third (1/e) of what is now. */
export const TIME_CONSTANT = 10_000;

/**
 * An average of the speed, weighted by time: each change counts for as long as it took, and the less the longer ago it was.
 *
 * So a burst counts for the moment that it lasted, and how often somebody looks makes no difference. Between two changes the rate
 * stays, as long as the next one is not overdue; from then on it sinks as if that one had come just now.
 */
export class Rate {
  // INVARIANT  `#sum / #weight` is the average; `#weight` is what is there of the full weight, 1, at the time of the last change.
  #sum = 0;
  #weight = 0;
  #done: number;
  #changedAt: number;
  /** How much the last change was. */
  #step = 0;
  /** Where it was first seen, for the average of all. */
  #firstDone: number;
  readonly #firstAt: number;

  /** @param at - In milliseconds. @param done - How much was done by then. */
  constructor(at: number, done: number) {
    this.#done = this.#firstDone = done;
    this.#changedAt = this.#firstAt = at;
  }

  /** How much is done at a time. */
  look(at: number, done: number): void {
    if (done === this.#done) return;
    if (done < this.#done) {
      // Something below has begun anew: what is done there once more counts once more.
      this.#firstDone -= this.#done - done;
      this.#done = done;
      return;
    }
    const time = at - this.#changedAt;
    // What happens in the moment of the last change is counted with the next one.
    if (time < 1e-3) return;
    this.#step = done - this.#done;
    const weight = 1 - Math.exp(-time / TIME_CONSTANT);
    this.#sum += (this.#step / time - this.#sum) * weight;
    this.#weight += (1 - this.#weight) * weight;
    this.#done = done;
    this.#changedAt = at;
  }

  /** Units per second; undefined as long as nothing has changed. */
  at(now: number): number | undefined {
    if (this.#weight === 0) return undefined;
    const rate = this.#sum / this.#weight;
    const time = now - this.#changedAt;
    if (time < 1e-3 || this.#step / time >= rate) return finite(rate * 1000);
    const weight = 1 - Math.exp(-time / TIME_CONSTANT);
    const sum = this.#sum + (this.#step / time - this.#sum) * weight;
    return finite((sum / (this.#weight + (1 - this.#weight) * weight)) * 1000);
  }

  /** Units per second over all the time. */
  average(now: number, done: number): number | undefined {
    return finite(((done - this.#firstDone) / (now - this.#firstAt)) * 1000);
  }
}

function finite(rate: number): number | undefined {
  return rate > 0 && Number.isFinite(rate) ? rate : undefined;
}

/** Milliseconds to go; undefined when nobody can know. */
export function timeToGo(total: number | undefined, done: number, rate: number | undefined): number | undefined {
  if (total === undefined) return undefined;
  if (done >= total) return 0;
  const time = rate === undefined ? Number.NaN : ((total - done) / rate) * 1000;
  return Number.isFinite(time) ? time : undefined;
}
