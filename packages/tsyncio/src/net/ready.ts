/** Waiting for the one event that tells that something of Node's is ready, or for its error. */

import type { EventEmitter } from "node:events";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";

export interface Readiness {
  /** What the wait is called. */
  readonly label: string;
  readonly emitter: EventEmitter;
  readonly event: string;
  /** Makes it begin. */
  readonly begin: () => void;
  /** Undoes that, when the wait is given up. */
  readonly giveUp?: (() => void) | undefined;
}

/** An operation that begins something, and ends with its event, or throws its error. */
export function ready(readiness: Readiness): Operation<void> {
  return new Ready(readiness) as unknown as Operation<void>;
}

class Ready extends Op<void> {
  declare readonly _readiness: Readiness;
  declare _error: Error | null;
  declare _forget: () => void;

  constructor(readiness: Readiness) {
    super();
    this._readiness = readiness;
    this._error = null;
    this._forget = () => {};
  }

  override _start(): Step<void> {
    const { emitter, event, begin } = this._readiness;
    const happened = (): void => {
      this._forget();
      this._wake();
    };
    const failed = (error: Error): void => {
      this._error = error;
      happened();
    };
    emitter.on(event, happened);
    emitter.on("error", failed);
    this._forget = () => {
      emitter.off(event, happened);
      emitter.off("error", failed);
    };
    begin();
    return this._wait();
  }

  override _resume(): Step<void> {
    if (this._error !== null) throw this._error;
    return done(undefined);
  }

  override _abandon(): void {
    this._forget();
    this._readiness.giveUp?.();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    // In debug mode it is asked for before the fields are set.
    return (this._readiness as Readiness | undefined)?.label ?? "ready";
  }
}
