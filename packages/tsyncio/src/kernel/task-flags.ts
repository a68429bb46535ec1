/** Bits of `Future._flags`: one field instead of many booleans, as each would cost eight bytes in every task. */

/** `next()` has just handed the future out; a yield without it came from `yield` where `yield*` was meant. */
export const ARMED = 1;
/** It failed, and nobody has looked at the error yet. */
export const UNRETRIEVED = 2;
/** Somebody has looked at the outcome. */
export const RETRIEVED = 4;
/** A cancellation is due at the next step or suspension. */
export const MUST_CANCEL = 8;
/** A cancellation was delivered to it, or is due. */
export const WAS_CANCELLED = 16;
