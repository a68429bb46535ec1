/** The callers of a batcher: how they wait for their keys, and how they leave. */

import { done, WOKEN } from "../kernel/operation.ts";
import type { Suspension, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import { type InLine, Waiter, Waiters } from "../sync/waiters.ts";

/** What is known of a key, as it is kept in the cache: a value, or the error that it was answered with. */
export type Cached<V> = { readonly value: V } | { readonly error: unknown };

// STATE  collecting ──full, old, drained, flush()──▶ due ──a call is free──▶ sent ──▶ over
//        A batch that nobody wants any more is dropped before it is sent, and cancelled after.
export const COLLECTING = 0;
export const DUE = 1;
export const SENT = 2;
export const OVER = 3;

/** Some keys that are loaded together. */
export class Batch<K, V, C> {
  state: number = COLLECTING;
  readonly entries: Map<C, Entry<K, V, C>> = new Map<C, Entry<K, V, C>>();
  /** Those that wait for some of the keys. All answers come at once, so that nobody has to wait for a key. */
  readonly callers: Waiters = new Waiters();
  task: Task<void> | null = null;
  /** What makes it due: the drain or the timer. */
  trigger: { cancel(): void } | null = null;
  /** The last one that wanted something of it: cancelled, it stays until the call has ended. */
  mourner: LoadWait<unknown> | null = null;
}

/** A key in a batch. */
export class Entry<K, V, C> {
  declare readonly key: K;
  declare readonly id: C;
  declare readonly batch: Batch<K, V, C>;
  /** How often somebody who waits wants it. */
  declare wanted: number;
  declare answer: Cached<V> | null;

  constructor(key: K, id: C, batch: Batch<K, V, C>) {
    this.key = key;
    this.id = id;
    this.batch = batch;
    this.wanted = 0;
    this.answer = null;
  }
}

/** What stands in the line of a batch. */
export interface Caller extends InLine {
  /** The batch has ended: each of its keys has an answer. */
  _settled(): void;
}

type AnyBatch = Batch<unknown, unknown, unknown>;
type AnyEntry = Entry<unknown, unknown, unknown>;
/** A key as it was found: known, or to be loaded. */
type Found<V> = Cached<V> | Entry<unknown, V, unknown>;

/** What callers ask of a batcher. */
export interface Loader extends WaitSource {
  /** What is known of a key, or where it is or will be loaded. */
  _seek(key: unknown): Cached<unknown> | AnyEntry;
  /** Nobody wants a key any more. */
  _unwanted(entry: AnyEntry): void;
  /** Nobody wants anything of a batch any more; says whether it is a call under way. */
  _deserted(batch: AnyBatch): boolean;
}

const NONE: AnyBatch[] = [];

/** PERF  to ask `in` of what is not there is slow, and most keys have a value. */
export function isError(answer: Cached<unknown>): answer is { readonly error: unknown } {
  return (answer as { value?: unknown }).value === undefined && "error" in answer;
}

/** A wait for the answers of some keys. */
export abstract class LoadWait<T> extends Waiter<T> {
  // STATE  waiting ──answered──▶ woken     waiting ──cancelled, failed──▶ leaving ──the calls have ended──▶ cancelled, woken
  //        It does not have to stay where others go on wanting something of the calls.
  declare readonly _loader: Loader;
  /** Cancelled: the message to go on with. */
  declare _cancelled: { readonly message: string | undefined } | null;
  /** Calls that are cancelled as nobody else wants anything of them; their end is waited for. */
  declare _orphans: AnyBatch[];
  /** What one of those has ended with, other than its cancellation. */
  declare _failure: { readonly error: unknown } | null;

  constructor(loader: Loader) {
    super();
    this._loader = loader;
    this._cancelled = null;
    this._orphans = NONE;
    this._failure = null;
  }

  /** Wants nothing any more; returns the calls that nobody wants anything of now. */
  abstract _leaveAll(): AnyBatch[];
  abstract _result(): T;

  override _interrupt(message: string | undefined): boolean {
    if (this._stage >= WOKEN) return false;
    // It may be about to leave already, as a key has failed.
    if (this._orphans.length === 0 && !this._leave()) return super._interrupt(message);
    this._cancelled ??= { message };
    for (const batch of this._orphans) batch.task?.cancel(message);
    return true;
  }

  /** Leaves all lines; says whether there are calls whose end has to be waited for. */
  _leave(): boolean {
    this._orphans = this._leaveAll();
    for (const batch of this._orphans) batch.mourner = this as LoadWait<unknown>;
    return this._orphans.length > 0;
  }

  /** A call that was cancelled on our account has ended; says whether we go on with its error. */
  _buried(failure: { readonly error: unknown } | null): boolean {
    if (this._cancelled !== null) this._failure ??= failure;
    this._orphans = this._orphans.filter((batch) => batch.state !== OVER);
    if (this._orphans.length === 0) {
      if (this._cancelled !== null && this._failure === null) super._interrupt(this._cancelled.message);
      else this._wake();
    }
    return failure === this._failure;
  }

  override _abandon(): void {
    for (const batch of this._leaveAll()) batch.task?.cancel();
  }

  override _resume(): IteratorResult<Suspension, T> {
    if (this._failure !== null) throw this._failure.error;
    return done(this._result());
  }

  override _waitsFor(): WaitSource {
    return this._loader;
  }
}

/** Wants a key no more. */
function unwant(loader: Loader, entry: AnyEntry): void {
  entry.wanted--;
  if (entry.wanted === 0) loader._unwanted(entry);
}

/** Leaves a batch; returns it if it is a call that nobody wants anything of now. */
function leave(loader: Loader, batch: AnyBatch, caller: Caller): AnyBatch | null {
  batch.callers.leave(caller);
  return batch.callers.first === null && loader._deserted(batch) ? batch : null;
}

/** The answer for a key; null as long as there is none. */
function answerFor<V>(found: Found<V>): Cached<V> | null {
  return found instanceof Entry ? found.answer : found;
}

function outcome<V>(answer: Cached<V>): V {
  if (isError(answer)) throw answer.error;
  return answer.value;
}

export class Load<V> extends LoadWait<V> implements Caller {
  declare _found: Found<V> | null;
  declare readonly _key: unknown;

  constructor(loader: Loader, key: unknown) {
    super(loader);
    this._key = key;
    this._found = null;
  }

  override _start(): IteratorResult<Suspension, V> {
    const found = this._loader._seek(this._key) as Found<V>;
    this._found = found;
    if (!(found instanceof Entry)) return done(this._result());
    found.wanted++;
    found.batch.callers.join(this);
    return this._wait();
  }

  _settled(): void {
    this._wake();
  }

  override _leaveAll(): AnyBatch[] {
    if (!this.inLine) return NONE;
    const entry = this._found as AnyEntry;
    unwant(this._loader, entry);
    const orphan = leave(this._loader, entry.batch, this);
    return orphan === null ? NONE : [orphan];
  }

  override _result(): V {
    return outcome(answerFor(this._found as Found<V>) as Cached<V>);
  }

  override describe(): string {
    return "batcher.load";
  }
}

/** The place of one that loads many keys in the line of a batch. */
class Part<V> implements Caller {
  _previous: InLine | null = null;
  _next: InLine | null = null;
  inLine = false;
  readonly batch: AnyBatch;
  /** What it wants of the batch. */
  readonly entries: Entry<unknown, V, unknown>[] = [];
  readonly #whole: LoadMany<V>;

  constructor(whole: LoadMany<V>, batch: AnyBatch) {
    this.#whole = whole;
    this.batch = batch;
    batch.callers.join(this);
  }

  get _stage(): number {
    return this.#whole._stage;
  }

  get _waiting(): unknown {
    return this.#whole._waiting;
  }

  cancelled(): boolean {
    return this.#whole.cancelled();
  }

  _wake(): boolean {
    return this.#whole._wake();
  }

  _settled(): void {
    this.#whole._partSettled(this);
  }
}

export class LoadMany<V> extends LoadWait<(V | Error)[]> {
  declare readonly _keys: readonly unknown[];
  declare readonly _returnExceptions: boolean;
  /** In the order of the keys. */
  declare _found: Found<V>[];
  /** One for each batch: one in all, as a rule. */
  declare _parts: Part<V>[];
  /** How many of them have not been settled. */
  declare _missing: number;
  /** The error that settled the whole: what comes of the other keys from then on does not count. */
  declare _stoppedBy: Cached<V> | null;

  constructor(loader: Loader, keys: readonly unknown[], returnExceptions: boolean) {
    super(loader);
    this._keys = keys;
    this._returnExceptions = returnExceptions;
    this._found = [];
    this._parts = [];
    this._missing = 0;
    this._stoppedBy = null;
  }

  override _start(): IteratorResult<Suspension, (V | Error)[]> {
    try {
      for (let i = 0; i < this._keys.length && this._stoppedBy === null; i++) {
        const found = this._loader._seek(this._keys[i]) as Found<V>;
        this._found.push(found);
        if (found instanceof Entry) this._want(found);
        else this._look(found);
      }
    } catch (error) {
      this._abandon();
      throw error;
    }
    this._missing = this._parts.length;
    if (this._missing > 0 && this._stoppedBy === null) return this._wait();
    this._abandon();
    return done(this._result());
  }

  _want(entry: Entry<unknown, V, unknown>): void {
    entry.wanted++;
    // PERF  the batch is that of the key before, as a rule.
    let part = this._parts.at(-1);
    if (part?.batch !== entry.batch) part = this._parts.find(({ batch }) => batch === entry.batch);
    if (part === undefined) {
      part = new Part<V>(this, entry.batch);
      this._parts.push(part);
    }
    part.entries.push(entry);
  }

  /** Looks whether an answer settles the whole. */
  _look(answer: Cached<V>): void {
    if (!this._returnExceptions && isError(answer)) this._stoppedBy ??= answer;
  }

  _partSettled(part: Part<V>): void {
    this._missing--;
    for (const entry of part.entries) this._look(entry.answer as Cached<V>);
    if (this._missing === 0) this._wake();
    else if (this._stoppedBy !== null) {
      // Nothing is wanted of the other keys any more.
      if (!this._leave()) this._wake();
      else for (const batch of this._orphans) batch.task?.cancel();
    }
  }

  override _leaveAll(): AnyBatch[] {
    return this._parts.flatMap((part) => {
      if (!part.inLine) return NONE;
      for (const entry of part.entries) unwant(this._loader, entry);
      return leave(this._loader, part.batch, part) ?? NONE;
    });
  }

  override _result(): (V | Error)[] {
    if (this._stoppedBy !== null) outcome(this._stoppedBy);
    return this._found.map((found) => {
      const answer = answerFor(found) as Cached<V>;
      return isError(answer) ? (answer.error as Error) : answer.value;
    });
  }

  override describe(): string {
    return "batcher.loadMany";
  }
}
