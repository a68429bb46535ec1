import { Line } from "./line.ts";

/** A semaphore of promises, as one writes it by hand. */
export class Semaphore {
  #free: number;
  readonly #line = new Line<() => void>();

  constructor(permits: number) {
    this.#free = permits;
  }

  /** To be awaited; no promise where there is no wait. */
  acquire(): Promise<void> | undefined {
    if (this.#free === 0) return new Promise((resolve) => this.#line.push(resolve));
    this.#free--;
    return undefined;
  }

  /** Hands the permit to the first in line. */
  release(): void {
    const next = this.#line.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
