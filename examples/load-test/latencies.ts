// How long requests took: recorded by Node's histogram, and drawn.

import { createHistogram } from "node:perf_hooks";

const MICROSECONDS = 1000;
const PERCENTILES = [50, 75, 90, 99, 99.9] as const;
const WIDTH = 40;

export class Latencies {
  readonly #histogram = createHistogram({ figures: 3 });
  /** How many took up to 2^i µs. */
  readonly #buckets: number[] = [];

  /** @param time - In milliseconds. */
  record(time: number): void {
    const microseconds = Math.max(1, Math.round(time * MICROSECONDS));
    this.#histogram.record(microseconds);
    const bucket = Math.ceil(Math.log2(microseconds));
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  get count(): number {
    return this.#histogram.count;
  }

  /** In milliseconds. */
  percentile(percent: number): number {
    return this.#histogram.percentile(percent) / MICROSECONDS;
  }

  get mean(): number {
    return this.#histogram.mean / MICROSECONDS;
  }

  get deviation(): number {
    return this.#histogram.stddev / MICROSECONDS;
  }

  get most(): number {
    return this.#histogram.max / MICROSECONDS;
  }

  /** Lines: the percentiles, and a bar for each power of two. */
  draw(): string[] {
    if (this.count === 0) return ["  no request was answered"];
    const highest = Math.max(...Array.from(this.#buckets, (count = 0) => count));
    const first = this.#buckets.findIndex((count) => count > 0);
    return [
      ...PERCENTILES.map((each) => `  ${`${each}%`.padStart(6)}  ${inUnits(this.percentile(each))}`),
      `     max  ${inUnits(this.most)}`,
      "",
      ...Array.from(this.#buckets.slice(first), (count = 0, i) => {
        const bar = "█".repeat(Math.ceil((count / highest) * WIDTH));
        return `  ≤ ${inUnits(2 ** (first + i) / MICROSECONDS).padStart(9)}  ${bar} ${count}`;
      }),
    ];
  }
}

/** @param time - In milliseconds. */
export function inUnits(time: number): string {
  if (time < 1) return `${Math.round(time * 1000)} µs`;
  return time < 1000 ? `${time.toFixed(2)} ms` : `${(time / 1000).toFixed(2)} s`;
}
