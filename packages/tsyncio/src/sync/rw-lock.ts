/** Many readers or one writer. asyncio has none; the rules are those of the best known ones, the names are Lock's. */

import { RuntimeError, unexpected } from "../base/errors.ts";
import { AsyncWait } from "../kernel/async-wait.ts";
import { operation } from "../kernel/coroutine.ts";
import { current, runningTask } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { done, Op, type Operation } from "../kernel/operation.ts";
import type { Coroutine, Suspension, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import type { Guard } from "./lock.ts";
import { bindLoop, type LoopBound, nameIn } from "./loop-bound.ts";
import { Waiter, Waiters } from "./waiters.ts";

/** What `write()` returns: `using guard = yield* lock.write()` releases at the end of the block. */
export interface WriteGuard extends Guard {
  /**
   * Makes a reader of the writer, with no other writer in between; from then on the guard stands for reading.
   *
   * @throws {RuntimeError} when it does not stand for writing: it was released or downgraded before.
   */
  downgrade(): void;
}

/** How many writers that came later a reader lets go first, at most, where writers are preferred. */
const PASSES = 16;
/** How many readers are named in a message. */
const NAMED = 3;

/**
 * Lets any number of readers in at a time, or one writer.
 *
 * By default it is fair: all go in order of arrival, readers that stand next to each other enter together, and a reader that comes
 * behind a waiting writer waits. With `prefer: "writers"` a writer goes before readers that came earlier; each reader lets at most
 * 16 writers do that, so that it never starves.
 *
 * A task that reads may read again, and is let in at once. What would wait for itself is refused: to write while reading (an
 * upgrade), and to read or write while writing. The way from writing to reading is `guard.downgrade()`.
 *
 * @example
 * ```ts
 * const lock = new RWLock({ name: "config" });
 * const reader = (ms: number) => lock.withRead(() => sleep(ms, lock.readerCount));
 * yield* gather(reader(1), reader(2)); // => [1, 2]
 * yield* lock.withWrite(() => lock.owner === currentTask()); // => true
 * ```
 */
export class RWLock implements WaitSource, LoopBound {
  // INVARIANT  who has been granted its turn holds the lock from then on, before it runs: so nobody can snatch it.
  // INVARIANT  in the lines stand only those that sleep; whoever could enter has been let in.
  #writer: Hold | null = null;
  #reads = 0;
  /** What tasks hold for reading; what is held outside of any task is only counted. */
  readonly #readers = new Map<Task<unknown>, Hold[]>();
  readonly #waitingReaders = new Waiters();
  readonly #waitingWriters = new Waiters();
  readonly #prefersWriters: boolean;
  /** How many writers went before the reader that has waited for the longest, although they came later. */
  #passes = 0;
  #arrivals = 0;
  readonly name: string | undefined;
  /** @internal */
  _loop: EventLoop | null = null;
  readonly #reading: WaitSource = {
    describe: () => `${this.#title()}.read (${this.#state()}${this.#waitingInFront()})`,
    holders: () => this.holders(),
  };
  readonly #writing: WaitSource = {
    describe: () => `${this.#title()}.write (${this.#state()})`,
    holders: () => this.holders(),
  };

  /**
   * @param options - `prefer`: `"fair"` (default) or `"writers"`; `name`: shown in wait graphs.
   * @throws {TypeError} when `prefer` is something else.
   */
  constructor(options?: { readonly prefer?: "fair" | "writers" | undefined; readonly name?: string | undefined }) {
    this.name = nameIn(options);
    const prefer = options?.prefer ?? "fair";
    if (prefer !== "fair" && prefer !== "writers") throw unexpected('`prefer` to be "fair" or "writers"', prefer);
    this.#prefersWriters = prefer === "writers";
  }

  /** Whether somebody holds it, to read or to write. */
  locked(): boolean {
    return this.#writer !== null || this.#reads > 0;
  }

  /** The task that writes; null when nobody does, or somebody outside of any task. */
  get owner(): Task<unknown> | null {
    return this.#writer?.task ?? null;
  }

  /** The tasks that read, in order of entry; what is read outside of any task is missing here. */
  get readers(): Task<unknown>[] {
    return [...this.#readers.keys()];
  }

  /** How many guards for reading are out. */
  get readerCount(): number {
    return this.#reads;
  }

  /** How many wait, to read or to write. */
  get waiting(): number {
    return this.#waitingReaders.length + this.#waitingWriters.length;
  }

  /**
   * Waits until nobody writes, and no writer is due, then reads.
   *
   * @returns a guard that ends the reading.
   * @throws {RuntimeError} with the code `SELF_DEADLOCK` when the task itself writes.
   *
   * **Suspends** only if somebody writes or a writer waits, and the task does not read already. **Cancel** gives up the place in
   * line; nothing is held.
   */
  read(): Operation<Guard> {
    return new Enter(this, false) as unknown as Operation<Guard>;
  }

  /**
   * Waits until nobody reads or writes, then writes.
   *
   * @returns a guard that ends the writing, or turns it into reading.
   * @throws {RuntimeError} with the code `SELF_DEADLOCK` when the task itself reads or writes. (Calls of async functions side by side
   *   in one task count as one: give each a task, by `gather` or `createTask`, or use `withRead` and `withWrite`.)
   *
   * **Suspends** only if somebody reads or writes. **Cancel** gives up the place in line, and lets those in at once who waited for
   * this writer only; nothing is held.
   */
  write(): Operation<WriteGuard> {
    return new Enter(this, true) as unknown as Operation<WriteGuard>;
  }

  /** Reads if `read()` would not have to wait, else gives null. **Suspends** never. */
  tryRead(): Guard | null {
    return this.#try(false);
  }

  /** Writes if `write()` would not have to wait, else gives null. **Suspends** never. */
  tryWrite(): WriteGuard | null {
    return this.#try(true);
  }

  /**
   * Runs a body while reading.
   *
   * @throws as `read` and the body do.
   *
   * **Suspends** as `read` and the body do. **Cancel** gives up the wait, or goes to the body; the reading ends in any case.
   */
  withRead<T>(body: Body<[], T>): Operation<T> {
    checkBody(body, "rwLock.withRead");
    return operation(withHold(this.read(), body as Body<[Guard], T>), "rwLock.withRead");
  }

  /**
   * Runs a body while writing; it gets the guard, to downgrade it.
   *
   * @throws as `write` and the body do.
   *
   * **Suspends** as `write` and the body do. **Cancel** gives up the wait, or goes to the body; the writing ends in any case.
   */
  withWrite<T>(body: Body<[guard: WriteGuard], T>): Operation<T> {
    checkBody(body, "rwLock.withWrite");
    return operation(withHold(this.write(), body), "rwLock.withWrite");
  }

  /** As {@link withWrite}: what takes a Lock by its `with` can take this one, too. */
  with<T>(body: Body<[guard: WriteGuard], T>): Operation<T> {
    checkBody(body, "rwLock.with");
    return operation(withHold(this.write(), body), "rwLock.with");
  }

  #try(writes: boolean): Hold | null {
    const scope = runningTask();
    return this._mayEnter(writes, scope) ? this._enter(writes, scope) : null;
  }

  /** @internal Whether it may enter at once. */
  _mayEnter(writes: boolean, scope: Task<unknown> | null): boolean {
    if (this.#writer !== null) return false;
    if (writes) return this.#reads === 0;
    // It would wait for a writer that waits for it.
    return this.#waitingWriters.length === 0 || this.#isReading(scope);
  }

  /** @internal */
  _enter(writes: boolean, scope: Task<unknown> | null): Hold {
    const hold = new Hold(this, writes, scope);
    if (writes) this.#writer = hold;
    else this.#addReader(hold);
    this.#changed();
    return hold;
  }

  /** @internal */
  _leave(hold: Hold): void {
    if (hold._writes) this.#writer = null;
    else this.#removeReader(hold);
    this.#serve();
    this.#changed();
  }

  /** @internal */
  _downgrade(hold: Hold): void {
    this.#writer = null;
    this.#addReader(hold);
    this.#serve();
    this.#changed();
  }

  /** @internal */
  _join(waiter: Enter): void {
    waiter._arrival = this.#arrivals++;
    this._lineOf(waiter._writes).join(waiter);
  }

  /** @internal */
  _giveUp(waiter: Enter): void {
    this._lineOf(waiter._writes).leave(waiter);
    // Those behind a writer may have waited for nobody else.
    this.#serve();
  }

  /** @internal */
  _lineOf(writes: boolean): Waiters {
    return writes ? this.#waitingWriters : this.#waitingReaders;
  }

  /** @internal */
  _sourceOf(writes: boolean): WaitSource {
    return writes ? this.#writing : this.#reading;
  }

  /** @internal Refuses who would wait for itself. */
  _refuse(writes: boolean, scope: Task<unknown> | null): void {
    if (scope === null) return;
    if (this.#writer !== null && within(scope, this.#writer)) {
      const remedy = writes ? "pass the guard on, or release it first" : "guard.downgrade() makes a reader of the writer";
      throw this.#wouldDeadlock(writes, scope, "writes already", remedy);
    }
    if (writes && this.#isReading(scope)) {
      throw this.#wouldDeadlock(
        writes,
        scope,
        "reads, and would wait for itself (an upgrade)",
        "release the guard for reading first and look again, or write from the start",
      );
    }
  }

  #wouldDeadlock(writes: boolean, scope: Task<unknown>, why: string, remedy: string): RuntimeError {
    const action = writes ? "write" : "read";
    return new RuntimeError(`Cannot ${action} ${this.#title()}: "${scope._self().name}" ${why}; ${remedy}`, "SELF_DEADLOCK");
  }

  /** Whether what asks is part of something that reads. */
  #isReading(scope: Task<unknown> | null): boolean {
    if (scope === null) return false;
    const holds = this.#readers.get(scope._self());
    return holds?.some((hold) => within(scope, hold)) ?? false;
  }

  /** Lets in whoever is due. */
  #serve(): void {
    while (this.#writer === null) {
      const reader = this.#waitingReaders.first as Enter | null;
      const writer = this.#waitingWriters.first as Enter | null;
      if (writer !== null && (reader === null || this.#goesFirst(writer, reader))) {
        if (this.#reads > 0) return;
        // Those that are younger than this writer were not passed over by any, as writers go in order.
        this.#passes = reader !== null && reader._arrival < writer._arrival ? this.#passes + 1 : 0;
        this.#grant(writer);
      } else if (reader !== null) this.#grant(reader);
      else return;
    }
  }

  #goesFirst(writer: Enter, reader: Enter): boolean {
    return writer._arrival < reader._arrival || (this.#prefersWriters && this.#passes < PASSES);
  }

  #grant(waiter: Enter): void {
    this._lineOf(waiter._writes).leave(waiter);
    waiter._hold = this._enter(waiter._writes, waiter._scope);
    waiter._wake();
  }

  #addReader(hold: Hold): void {
    this.#reads++;
    const { task } = hold;
    if (task === null) return;
    const holds = this.#readers.get(task);
    if (holds === undefined) this.#readers.set(task, [hold]);
    else holds.push(hold);
  }

  #removeReader(hold: Hold): void {
    this.#reads--;
    const { task } = hold;
    if (task === null) return;
    const holds = this.#readers.get(task) as Hold[];
    if (holds.length === 1) this.#readers.delete(task);
    else holds.splice(holds.indexOf(hold), 1);
  }

  /** Others than before are waited for. */
  #changed(): void {
    current.probe?.held(this.#reading);
    current.probe?.held(this.#writing);
  }

  #title(): string {
    return this.name === undefined ? "RWLock" : `RWLock '${this.name}'`;
  }

  #state(): string {
    if (this.#writer !== null) return `written by ${this.owner?.name ?? "somebody outside of any task"}`;
    if (this.#reads === 0) return "free";
    const names = this.readers.slice(0, NAMED).map((task) => task.name);
    const more = this.#readers.size - names.length;
    if (names.length === 0) return "read outside of any task";
    return `read by ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  }

  #waitingInFront(): string {
    const writers = this.#waitingWriters.length;
    return writers === 0 ? "" : `, ${writers} to write`;
  }

  describe(): string {
    return this.locked() ? `${this.#title()} ${this.#state()}` : this.#title();
  }

  holders(): Task<unknown>[] {
    return this.owner === null ? this.readers : [this.owner];
  }

  toString(): string {
    const state = this.#writer !== null ? "written" : this.#reads > 0 ? `read:${this.#reads}` : "unlocked";
    return `<RWLock [${state}${this.waiting > 0 ? `, waiters:${this.waiting}` : ""}]>`;
  }
}

/** What a reader or a writer holds: its guard. */
class Hold implements WriteGuard {
  declare _lock: RWLock | null;
  declare _writes: boolean;
  /** Who holds it: a task, or an operation that an async function awaits, while that runs its body. */
  declare readonly _scope: Task<unknown> | null;

  constructor(lock: RWLock, writes: boolean, scope: Task<unknown> | null) {
    this._lock = lock;
    this._writes = writes;
    this._scope = scope;
  }

  get task(): Task<unknown> | null {
    return this._scope?._self() ?? null;
  }

  release(): void {
    const lock = this._lock;
    this._lock = null;
    lock?._leave(this);
  }

  downgrade(): void {
    if (this._lock === null || !this._writes) {
      const why = this._lock === null ? "it was released" : "it stands for reading already";
      throw new RuntimeError(`Cannot downgrade the guard: ${why}; do so once, while it stands for writing`, "NOT_HELD");
    }
    this._writes = false;
    this._lock._downgrade(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

class Enter extends Waiter<WriteGuard> {
  declare readonly _lock: RWLock;
  declare readonly _writes: boolean;
  declare _scope: Task<unknown> | null;
  /** Its number in the order of arrival. */
  declare _arrival: number;
  /** What it was granted. */
  declare _hold: Hold | null;

  constructor(lock: RWLock, writes: boolean) {
    super();
    this._lock = lock;
    this._writes = writes;
    this._scope = null;
    this._arrival = 0;
    this._hold = null;
  }

  override _start(): IteratorResult<Suspension, WriteGuard> {
    const lock = this._lock;
    bindLoop(lock);
    const scope = askerOf();
    lock._refuse(this._writes, scope);
    if (lock._mayEnter(this._writes, scope)) return done(lock._enter(this._writes, scope));
    this._scope = scope;
    lock._join(this);
    return this._wait();
  }

  override _resume(): IteratorResult<Suspension, WriteGuard> {
    return done(this._hold as Hold);
  }

  override _interrupt(message: string | undefined): boolean {
    if (!super._interrupt(message)) return false;
    // Now, not when its task runs: nobody is to wait behind one that has gone.
    this._lock._giveUp(this);
    return true;
  }

  override _abandon(woken: boolean): void {
    // RACE  1. A is granted its turn   2. A is cancelled before it runs   3. it holds the lock, and would for ever.
    //       test: "RWLock.write() hands its turn on, when granted and then cancelled"
    if (woken) this._hold?.release();
    else this._lock._giveUp(this);
  }

  override describe(): string {
    return this._writes ? "rwLock.write" : "rwLock.read";
  }

  override _waitsFor(): WaitSource {
    return this._lock._sourceOf(this._writes);
  }
}

/** Who is going to hold what is asked for now. */
function askerOf(): Task<unknown> | null {
  const task = runningTask();
  // What drives the bare wait of an async function ends with it: the function goes on with the guard.
  return task instanceof AsyncWait && task._root instanceof Op ? task._outer() : task;
}

/** Whether a task, or what it runs inside of, holds this. */
function within(scope: Task<unknown>, hold: Hold): boolean {
  let holder = hold._scope;
  // A guard may outlive the operation in whose body it was taken; it is still its task's.
  while (holder?.done() === true && holder._outer() !== null) holder = holder._outer();
  for (let each: Task<unknown> | null = scope; each !== null; each = each._outer()) if (each === holder) return true;
  return false;
}

function* withHold<G extends Guard, T>(acquire: Operation<G>, body: Body<[guard: G], T>): Coroutine<T> {
  const guard = yield* acquire;
  try {
    return yield* callBody(body, guard);
  } finally {
    guard.release();
  }
}
