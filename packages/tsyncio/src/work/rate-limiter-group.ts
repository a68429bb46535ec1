/** Rates by key: for each user, host or account one of its own. */

import { RateLimiter, type RateLimiterOptions } from "./rate-limiter.ts";

/**
 * A RateLimiter for each key: for each user, host or account.
 *
 * Limiters that cannot be told from new ones are dropped when new keys come, so memory does not grow with the number of keys. Whoever
 * holds on to a limiter gets the same one for as long as that.
 *
 * @param options - As for RateLimiter; or a function that gives those of a key.
 *
 * @example
 * ```ts
 * const hosts = new RateLimiterGroup<string>({ limit: 1, per: "1s" });
 * hosts.for("a.example").tryAcquire(); // => true
 * hosts.for("a.example").tryAcquire(); // => false
 * hosts.for("b.example").tryAcquire(); // => true
 * ```
 */
export class RateLimiterGroup<K> {
  readonly #options: (key: K) => RateLimiterOptions;
  /** Those whose past counts. */
  readonly #busy = new Map<K, RateLimiter>();
  /** Those that are as new; somebody may still have them. */
  readonly #resting = new Map<K, WeakRef<RateLimiter>>();
  readonly #collected = new FinalizationRegistry<K>((key) => {
    if (this.#resting.get(key)?.deref() === undefined) this.#resting.delete(key);
  });
  /** The number of busy ones at which it is looked which of them are as new; twice as many as were left the last time. */
  #sweepAt = 16;

  constructor(options: RateLimiterOptions | ((key: K) => RateLimiterOptions)) {
    if (typeof options === "function") this.#options = options;
    else {
      // Wrong ones are refused here, not with the first key.
      new RateLimiter(options);
      this.#options = () => options;
    }
  }

  /** The limiter of a key; made if there is none. **Suspends** never. */
  for(key: K): RateLimiter {
    const known = this.#busy.get(key) ?? this.#resting.get(key)?.deref();
    if (known !== undefined) return known;
    if (this.#busy.size >= this.#sweepAt) this.#sweep();
    const options = this.#options(key);
    const limiter: RateLimiter = new RateLimiter(
      { ...options, name: options.name ?? String(key) },
      { used: () => this.#wake(key, limiter) },
    );
    this.#collected.register(limiter, key);
    this.#rest(key, limiter);
    return limiter;
  }

  /** Drops a key: the next `for(key)` makes a new limiter. Says whether there was one. Those that wait go on waiting. */
  delete(key: K): boolean {
    const known = this.#busy.get(key) ?? this.#resting.get(key)?.deref();
    this.#busy.delete(key);
    this.#resting.delete(key);
    return known !== undefined;
  }

  /** The number of limiters that can be told from new ones. */
  get size(): number {
    this.#sweep();
    return this.#busy.size;
  }

  /** The limiters that can be told from new ones, with their keys. */
  *[Symbol.iterator](): Generator<[K, RateLimiter], void, unknown> {
    this.#sweep();
    yield* [...this.#busy];
  }

  #sweep(): void {
    for (const [key, limiter] of this.#busy) if (limiter._asNew()) this.#rest(key, limiter);
    this.#sweepAt = Math.max(16, 2 * this.#busy.size);
  }

  #rest(key: K, limiter: RateLimiter): void {
    this.#busy.delete(key);
    this.#resting.set(key, new WeakRef(limiter));
  }

  /** It is used: from now on it must not be lost. */
  #wake(key: K, limiter: RateLimiter): void {
    // One that was deleted stays so.
    if (this.#resting.get(key)?.deref() !== limiter) return;
    this.#resting.delete(key);
    this.#busy.set(key, limiter);
  }
}
