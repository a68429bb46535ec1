/** Waiting for one event. */

import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import { checkEmitter, type EmitterLike, type EventName, errorOf, listen, rejections, type TargetLike } from "./emitter.ts";

/** Options of `once`. */
export interface OnceOptions {
  /**
   * Events that end the wait with the error that they tell of. By default `"error"` of an EventEmitter (an unheard one would end
   * the process), and none of an EventTarget; `[]`: none.
   */
  readonly rejectOn?: EventName | readonly EventName[] | undefined;
}

/**
 * Waits for the next event of a name.
 *
 * It listens from when it is awaited on, so call what makes the event happen before, or in another task; all listeners are gone
 * when it ends.
 *
 * @param emitter - An EventEmitter (a stream, `process`) or an EventTarget (an AbortSignal, a DOM element).
 * @param name - The event.
 * @param options - `rejectOn`.
 * @returns what the listeners get, as an array: `[event]` of an EventTarget.
 * @throws the error of an event that is in `rejectOn`, or {RuntimeError} if that has none; {TypeError} for wrong arguments, at once.
 *
 * **Suspends** always. **Cancel** stops listening. **Source** replaces Node's `events.once`.
 *
 * @example
 * ```ts
 * const target = new EventTarget();
 * getRunningLoop().callSoon(() => target.dispatchEvent(new globalThis.Event("opened")));
 * const [event] = yield* once(target, "opened");
 * (event as { type: string }).type; // => "opened"
 * ```
 */
export function once<A extends readonly unknown[] = unknown[]>(
  emitter: EmitterLike | TargetLike,
  name: EventName,
  options: OnceOptions = {},
): Operation<A> {
  checkEmitter(emitter, name, "once");
  return new Next(emitter, name, rejections(emitter, name, options.rejectOn)) as unknown as Operation<A>;
}

class Next extends Op<unknown[]> {
  declare readonly _emitter: EmitterLike | TargetLike;
  declare readonly _name: EventName;
  declare readonly _rejectOn: readonly EventName[];
  declare _stop: (() => void)[];
  /** What came first, and the event that it came by. */
  declare _args: unknown[] | null;
  declare _event: EventName;

  constructor(emitter: EmitterLike | TargetLike, name: EventName, rejectOn: readonly EventName[]) {
    super();
    this._emitter = emitter;
    this._name = name;
    this._rejectOn = rejectOn;
    this._stop = [];
    this._args = null;
    this._event = name;
  }

  override _start(): Step<unknown[]> {
    const step = this._wait();
    try {
      for (const event of [this._name, ...this._rejectOn]) {
        this._stop.push(listen(this._emitter, event, (...args) => this._came(event, args)));
      }
    } catch (error) {
      this._end();
      throw error;
    }
    return step;
  }

  /** @internal */
  _came(event: EventName, args: unknown[]): void {
    if (this._args !== null) return;
    this._args = args;
    this._event = event;
    this._wake();
  }

  override _resume(): Step<unknown[]> {
    this._abandon();
    if (this._event === this._name) return done(this._args as unknown[]);
    throw errorOf(this._event, this._args as unknown[], this._name);
  }

  // Not before: until its task runs, a second "error" would have nobody who listens, and end the process.
  override _abandon(): void {
    for (const stop of this._stop) stop();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return `event "${String(this._name)}"`;
  }
}
