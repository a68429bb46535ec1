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
  /** Of the entries, how many somebody still waits for. */
  wanted = 0;
  task: Task<void> | null = null;
  /** What makes it due: the drain or the timer. */
  trigger: { cancel(): void } | null = null;
  /** The last one that wanted something of it: cancelled, it stays until the call has ended. */
  mourner: LoadWait<unknown> | null = null;
}

/** A key in a batch, and the line of those that wait for it. */
export class Entry<K, V, C> extends Waiters {
  declare readonly key: K;
  declare readonly id: C;
  declare readonly batch: Batch<K, V, C>;

  constructor(key: K, id: C, batch: Batch<K, V, C>) {
    super();
    this.key = key;
    this.id = id;
    this.batch = batch;
  }
}

/** What stands in the line of a key. */
export interface Claim<V> extends InLine {
  _settled(answer: Cached<V>): void;
}

type AnyBatch = Batch<unknown, unknown, unknown>;
type AnyEntry = Entry<unknown, unknown, unknown>;

/** What callers ask of a batcher. */
export interface Loader extends WaitSource {
  /** What is known of a key, or where it is or will be loaded. */
  _seek(key: unknown): Cached<unknown> | AnyEntry;
  /** Nobody wants a key any more: the batch, if it is a call that nobody wants anything of. */
  _unwanted(entry: AnyEntry): AnyBatch | null;
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

/** Joins the line of a key. */
function claim(entry: AnyEntry, by: InLine): void {
  if (entry.first === null) entry.batch.wanted++;
  entry.join(by);
}

/** Leaves it; returns the call that nobody wants anything of now, if there is one. */
function unclaim(loader: Loader, entry: AnyEntry, by: InLine): AnyBatch | null {
  if (!by.inLine) return null;
  entry.leave(by);
  return entry.first === null ? loader._unwanted(entry) : null;
}

export class Load<V> extends LoadWait<V> implements Claim<V> {
  declare _entry: AnyEntry | null;
  declare _answer: Cached<V> | null;
  declare readonly _key: unknown;

  constructor(loader: Loader, key: unknown) {
    super(loader);
    this._key = key;
    this._entry = null;
    this._answer = null;
  }

  override _start(): IteratorResult<Suspension, V> {
    const found = this._loader._seek(this._key);
    if (!(found instanceof Entry)) {
      this._answer = found as Cached<V>;
      return done(this._result());
    }
    this._entry = found;
    claim(found, this);
    return this._wait();
  }

  _settled(answer: Cached<V>): void {
    this._answer = answer;
    this._wake();
  }

  override _leaveAll(): AnyBatch[] {
    const orphan = this._entry === null ? null : unclaim(this._loader, this._entry, this);
    return orphan === null ? NONE : [orphan];
  }

  override _result(): V {
    const answer = this._answer as Cached<V>;
    if (isError(answer)) throw answer.error;
    return answer.value;
  }

  override describe(): string {
    return "batcher.load";
  }
}

/** The place of one of many keys in its line. */
class Part<V> implements Claim<V> {
  // PERF  assigned in the constructor, as one is made for each key.
  declare _previous: InLine | null;
  declare _next: InLine | null;
  declare inLine: boolean;
  declare readonly _entry: AnyEntry;
  declare readonly _index: number;
  declare readonly _whole: LoadMany<V>;

  constructor(whole: LoadMany<V>, index: number, entry: AnyEntry) {
    this._previous = null;
    this._next = null;
    this.inLine = false;
    this._whole = whole;
    this._index = index;
    this._entry = entry;
  }

  get _stage(): number {
    return this._whole._stage;
  }

  get _waiting(): unknown {
    return this._whole._waiting;
  }

  cancelled(): boolean {
    return this._whole.cancelled();
  }

  _wake(): boolean {
    return this._whole._wake();
  }

  _settled(answer: Cached<V>): void {
    this._whole._partSettled(this._index, answer);
  }
}

export class LoadMany<V> extends LoadWait<(V | Error)[]> {
  declare readonly _keys: readonly unknown[];
  declare readonly _returnExceptions: boolean;
  declare _parts: Part<V>[];
  declare _answers: (Cached<V> | undefined)[];
  declare _missing: number;

  constructor(loader: Loader, keys: readonly unknown[], returnExceptions: boolean) {
    super(loader);
    this._keys = keys;
    this._returnExceptions = returnExceptions;
    this._parts = [];
    this._answers = [];
    this._missing = 0;
  }

  override _start(): IteratorResult<Suspension, (V | Error)[]> {
    try {
      let stopped = false;
      for (let i = 0; i < this._keys.length && !stopped; i++) {
        const found = this._loader._seek(this._keys[i]);
        if (found instanceof Entry) {
          const part = new Part<V>(this, i, found);
          this._parts.push(part);
          this._answers.push(undefined);
          claim(found, part);
        } else {
          this._answers.push(found as Cached<V>);
          stopped = this._stops(found as Cached<V>);
        }
      }
      this._missing = this._parts.length;
      if (this._missing === 0 || stopped) {
        this._abandon();
        return done(this._result());
      }
    } catch (error) {
      this._abandon();
      throw error;
    }
    return this._wait();
  }

  _stops(answer: Cached<V> | undefined): boolean {
    return !this._returnExceptions && answer !== undefined && isError(answer);
  }

  _partSettled(index: number, answer: Cached<V>): void {
    this._answers[index] = answer;
    this._missing--;
    if (this._missing === 0) this._wake();
    else if (this._stops(answer)) {
      // Nothing is wanted of the other keys any more.
      if (!this._leave()) this._wake();
      else for (const batch of this._orphans) batch.task?.cancel();
    }
  }

  override _leaveAll(): AnyBatch[] {
    return this._parts.flatMap((part) => unclaim(this._loader, part._entry, part) ?? []);
  }

  override _result(): (V | Error)[] {
    const failed = this._answers.find((each) => this._stops(each));
    if (failed !== undefined && isError(failed)) throw failed.error;
    return this._answers.map((each) => {
      const answer = each as Cached<V>;
      return isError(answer) ? (answer.error as Error) : answer.value;
    });
  }

  override describe(): string {
    return "batcher.loadMany";
  }
}
