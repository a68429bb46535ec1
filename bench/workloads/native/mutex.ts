import { Line } from "./line.ts";

/** A mutex of promises, as one writes it by hand: no cancellation, no owner, no names. */
export class Mutex {
  #held = false;
  readonly #line = new Line<() => void>();

  /** To be awaited. There is no promise where there is no wait: an `await` of undefined is the cheapest there is. */
  acquire(): Promise<void> | undefined {
    if (this.#held) return new Promise((resolve) => this.#line.push(resolve));
    this.#held = true;
    return undefined;
  }

  /** Hands the mutex to the first in line; it stays held. */
  release(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#held = false;
    else next();
  }
}
