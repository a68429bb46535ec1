/**
 * Keeps a resume O(1) however deep coroutines call each other.
 *
 * `yield*` passes every resume through all generators between the task and the leaf. A wrapped coroutine avoids that: when its
 * first run suspends, it notes itself here on the way out, leaf first; the task adopts the chain and from then on resumes the
 * leaf directly, then its caller with the result, and so on outwards.
 */

/** A started call of a wrapped coroutine. */
export interface Frame {
  readonly _generator: Generator<unknown, unknown, unknown>;
  /** The frame to go on with when this one ends; null for the root. */
  _caller: Frame | null;
  /** Called by the task when the generator ended, before it resumes the caller, who then reads it by `next()`. */
  _complete(result: IteratorResult<unknown, unknown>): void;
  _abort(error: unknown): void;
  describe(): string;
}

/** The chain that the suspension under way is leaving behind. No user code runs between its frames' returns. */
export interface Segment {
  /** The very object that the leaf yielded. Another one means that somebody in between steps the calls by hand. */
  result: IteratorResult<unknown, unknown> | null;
  leaf: Frame | null;
  outermost: Frame | null;
}

export const segment: Segment = { result: null, leaf: null, outermost: null };

/** Notes a frame whose first run suspended with `result`. */
export function noteFrame(frame: Frame, result: IteratorResult<unknown, unknown>): void {
  if (segment.result === result && segment.outermost !== null) segment.outermost._caller = frame;
  else {
    segment.result = result;
    segment.leaf = frame;
  }
  segment.outermost = frame;
}

/** Gives the leaf to go on with after `result` came out of `frame`: that of the new chain, if there is one, else `frame`. */
export function adoptSegment(frame: Frame | null, result: IteratorResult<unknown, unknown>): Frame | null {
  let leaf = frame;
  if (segment.result === result) {
    leaf = segment.leaf;
    if (segment.outermost !== null) segment.outermost._caller = frame;
  }
  segment.result = segment.leaf = segment.outermost = null;
  return leaf;
}
