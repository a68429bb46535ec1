/** The error of whoever is turned away. */

/** Why: the line was full, room was made for others, … ; see {@link RefusedError}. */
export type Refusal = "LINE_FULL" | "DROPPED" | "BLOCKED" | "CLEARED" | "TOO_HEAVY" | "SHUT_DOWN";

/**
 * A limiter or batcher has turned a request away: nothing was taken, nothing has to be given back.
 *
 * Its `code` tells why. `LINE_FULL`: as many wait already as may. `DROPPED`: it waited for the longest, and the line was full.
 * `BLOCKED`: too many came at once, and have not stopped coming. `CLEARED`: by `clearWaiting()`. `TOO_HEAVY`: the limit was lowered
 * below what it asks for while it waited. `SHUT_DOWN`: by `shutdown()`.
 *
 * @example
 * ```ts
 * const limiter = new CapacityLimiter(1, { maxWaiting: 0 });
 * using permit = yield* limiter.acquire();
 * yield* createTask(() => limiter.acquire()); // throws RefusedError
 * ```
 */
export class RefusedError extends Error {
  override name = "RefusedError";
  readonly code: Refusal;
  constructor(message: string, code: Refusal, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
