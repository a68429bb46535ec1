/** Waiting for the first of several: what `race` and `select` are made of. */

import { ExceptionGroup, isCancelled, unexpected } from "../base/errors.ts";
import { chance, getRunningLoop, runningTask } from "../kernel/current.ts";
import { awaitsItself, FAILED, Future } from "../kernel/future.ts";
import { asTaskBody, ensureFuture, type Job, notAJob } from "../kernel/job.ts";
import { isCoroutine, isPromiseLike, reused } from "../kernel/kinds.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { BaseOperation, done, ENDED, NEW, Op, postpone, type Step, WOKEN } from "../kernel/operation.ts";
import type { WaitForAny } from "../kernel/priority.ts";
import type { WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";

/** What `race` and `select` leave to their callers. */
export interface ContestRules {
  /** The names of the jobs, which their tasks get and results are told with; null where they have none. */
  readonly names: readonly string[] | null;
  /** Whether the order is drawn anew each time; else those in front go first. */
  readonly shuffled: boolean;
  /** Whether one that fails has lost, while another may still succeed. */
  readonly firstSuccess: boolean;
}

/**
 * Waits for the first of several jobs, then stops the others and waits for their end.
 *
 * A plain operation of the library (`queue.get()`, `lock.acquire()`) gets no task of its own: it is driven from here. So it can be
 * left without having taken what it waited for, even when that is there already. Of other jobs tasks are made, or they are futures.
 */
export abstract class Contest extends Op<unknown> {
  // STATE  starting ──all wait──▶ open ──one is woken──▶ looking ──it has ended──▶ over ──the losers have ended──▶ the result
  //                                └───────not yet─────────┘
  //        any but over ──cancelled──▶ over, with the CancelledError as the result
  declare readonly _rules: ContestRules;
  declare _branches: Branch[];
  /** Its operations wait, and any may happen. */
  declare _open: boolean;
  declare _started: boolean;
  /** The operation that happened to it while it waited, and cannot be undone. */
  declare _chosen: Branch | null;
  declare _over: boolean;
  declare _threw: boolean;
  declare _outcome: unknown;
  /** Losers that have not ended. */
  declare _left: number;

  /** @throws {TypeError} when a job cannot be awaited; {RuntimeError} when one was awaited before. */
  constructor(jobs: readonly Job<unknown>[], rules: ContestRules) {
    refuseUnfit(jobs);
    super();
    this._rules = rules;
    this._branches = jobs.map((job, index) => new Branch(this, job, index, rules.names?.[index]));
    this._open = false;
    this._started = false;
    this._chosen = null;
    this._over = false;
    this._threw = false;
    this._outcome = undefined;
    this._left = 0;
  }

  /** Whether all of it can be left at any time, with nothing to wait for. */
  get isPlain(): boolean {
    return this._branches.every((branch) => branch.kind === OPERATION || branch.kind === PROMISE);
  }

  override _start(): Step<unknown> {
    const loop = getRunningLoop();
    this._started = true;
    for (const branch of this._branches) branch.check(loop);
    if (this._rules.shuffled) shuffle(this._branches);
    try {
      // What is there at once wins before any task is made.
      for (const branch of this._branches) {
        if (branch.kind === TASK) continue;
        branch.start(loop);
        if (this.#hasWon(branch)) return this.#end(branch);
      }
      for (const branch of this._branches) {
        if (branch.kind !== TASK) continue;
        branch.start(loop);
        if (this.#hasWon(branch)) return this.#end(branch);
      }
    } catch (error) {
      // One could not be started: a coroutine that was used before.
      return this.#endBy(error);
    }
    return this.#sleep();
  }

  override _resume(): Step<unknown> {
    if (this._over) return this._left > 0 ? this._wait() : this.#result();
    this._open = false;
    if (this._chosen !== null) {
      this._chosen.look();
      return this.#end(this._chosen);
    }
    for (const branch of this._branches) {
      if (!branch.isDue) continue;
      branch.look();
      if (this.#hasWon(branch)) return this.#end(branch);
    }
    return this.#sleep();
  }

  override throw(error: unknown): Step<unknown> {
    if (this._stage === ENDED) return super.throw(error);
    if (isCancelled(error) && (this._over || this._chosen !== null)) {
      // RACE  1. a job has ended, and may have taken something   2. we are cancelled before we return that   3. it would be lost.
      //       test: "race() returns its result first, when cancelled while losers clean up"
      if (!(this._threw && isCancelled(this._outcome))) postpone(this);
      return this.next();
    }
    return this.#endBy(error);
  }

  override _interrupt(message: string | undefined): boolean {
    if (this._over || this._chosen !== null || !super._interrupt(message)) return false;
    this.#leaveLines(null);
    return true;
  }

  override _end(): void {
    super._end();
    // Those that never began are ended, too: else they would be reported as forgotten.
    if (!this._started) this.#stop(null, undefined);
  }

  override _abandon(): void {
    this.#stop(null, undefined);
  }

  /** @internal Whether the operation of a branch may happen, as far as we are concerned; no other one will then. */
  _choose(branch: Branch): boolean {
    if (!this._open) return false;
    if ((this._waiting as Choice | null)?._choose?.() === false) return false;
    this._chosen = branch;
    // Nobody is to look for us there any more.
    this.#leaveLines(branch);
    return true;
  }

  /** Waits until one of them is woken; some may be so already. */
  #sleep(): Step<unknown> {
    const step = this._wait();
    this._open = true;
    if (this._branches.some((branch) => branch.isDue)) this._stage = WOKEN;
    return step;
  }

  #hasWon(branch: Branch): boolean {
    return branch.ended && (!branch.failed || !this._rules.firstSuccess || this._branches.every((each) => each.ended));
  }

  /** It is decided. */
  #end(winner: Branch): Step<unknown> {
    const { names, firstSuccess } = this._rules;
    this._threw = winner.failed;
    if (!winner.failed) this._outcome = names === null ? winner.outcome : { name: winner.name, value: winner.outcome };
    else if (!firstSuccess) this._outcome = winner.outcome;
    else {
      const errors = [...this._branches].sort((a, b) => a.index - b.index).map((branch) => branch.outcome);
      this._outcome = new ExceptionGroup(`no job of ${this.describe()}() succeeded`, errors);
    }
    return this.#finish(winner, undefined);
  }

  #endBy(error: unknown): Step<unknown> {
    this._stage = ENDED;
    this._threw = true;
    this._outcome = error;
    return this.#finish(null, isCancelled(error) ? error.message || undefined : undefined);
  }

  #finish(winner: Branch | null, message: string | undefined): Step<unknown> {
    this.#stop(winner, message);
    return this._left > 0 ? this._wait() : this.#result();
  }

  /** Stops all others. */
  #stop(winner: Branch | null, message: string | undefined): void {
    this._over = true;
    this._open = false;
    for (const branch of this._branches) if (branch !== winner) branch.stop(message);
  }

  #leaveLines(except: Branch | null): void {
    this._open = false;
    for (const branch of this._branches) if (branch !== except) branch.leaveLine();
  }

  #result(): Step<unknown> {
    if (this._threw) throw this._outcome;
    return done(this._outcome);
  }

  /** @internal A future has ended. */
  _futureEnded(branch: Branch): void {
    if (!this._over) this._wake();
    else if (branch.isAwaited) {
      branch._noteLoss(branch._future as Future<unknown>);
      if (--this._left === 0) this._wake();
    }
  }

  override _waitsFor(): WaitForAny {
    return {
      describe: () => this.#describeWait(),
      holders: () => this._parts().flatMap((part) => [...(part.holders?.() ?? [])]),
      _parts: () => this._parts(),
    };
  }

  #describeWait(): string {
    const { names } = this._rules;
    if (this._over) return `${this.describe()}: end of ${this._left} that lost`;
    const waits = this._branches.filter((branch) => !branch.ended).sort((a, b) => a.index - b.index);
    const told = waits.map((branch) => (names === null ? branch.describe() : `${branch.name}: ${branch.describe()}`));
    return `${this.describe()} of ${told.join(" or ")}`;
  }

  /** @internal What is waited for: the operations and futures, those of a contest in this one as well. */
  _parts(): WaitSource[] {
    return this._branches.flatMap((branch) => branch.parts(this._over));
  }
}

const OPERATION = 0;
const FUTURE = 1;
const PROMISE = 2;
const TASK = 3;

/** What may stand in the place of a task as what an operation is parked on. */
interface Choice {
  /** @internal Whether the operation may happen; from then on no other one of the contest will. */
  _choose?(): boolean;
  /** @internal The contest; if that is one of the jobs of another, that one. */
  readonly _whole?: object;
}

/** One job. For an operation that waits it stands in the place of a task: what wakes the operation wakes the contest. */
class Branch implements Choice {
  declare readonly _contest: Contest;
  declare readonly name: string | undefined;
  declare readonly index: number;
  declare readonly kind: number;
  declare readonly _job: Job<unknown>;
  declare _future: Future<unknown> | null;
  declare _onDone: (() => void) | null;
  declare _started: boolean;
  /** Its outcome has been looked at. */
  declare ended: boolean;
  declare failed: boolean;
  declare outcome: unknown;
  /** It has lost, and is to end before the contest does. */
  declare isAwaited: boolean;

  constructor(contest: Contest, job: Job<unknown>, index: number, name: string | undefined) {
    this._contest = contest;
    this.name = name;
    this.index = index;
    this.kind = kindOf(job);
    this._job = job;
    this._future = null;
    this._onDone = null;
    this._started = false;
    this.ended = false;
    this.failed = false;
    this.outcome = undefined;
    this.isAwaited = false;
  }

  /** Refuses what must not be waited for, while nothing has been touched. */
  check(loop: EventLoop): void {
    if (this.kind !== FUTURE) return;
    if (this._job === runningTask()?._self()) throw awaitsItself(this._job as object);
    this._future = ensureFuture(this._job, { loop });
  }

  start(loop: EventLoop): void {
    if (this.kind === OPERATION) {
      (this._job as Op<unknown>)._claim();
      this._started = true;
      this.look();
      return;
    }
    this._follow(this._futureIn(loop));
    this._started = true;
    if (this.isDue) this.look();
  }

  /** @internal */
  _futureIn(loop: EventLoop): Future<unknown> {
    if (this.kind === PROMISE) return watch(this._job as PromiseLike<unknown>, loop);
    if (this.kind === FUTURE) return this._future as Future<unknown>;
    return loop._spawn(asTaskBody(this._job), this.name === undefined ? undefined : { name: this.name });
  }

  /** @internal */
  _follow(future: Future<unknown>): void {
    this._future = future;
    if (future.done()) return;
    this._onDone = () => this._contest._futureEnded(this);
    future.addDoneCallback(this._onDone);
  }

  /** Whether there is something to look at. */
  get isDue(): boolean {
    if (this.ended) return false;
    return this.kind === OPERATION ? (this._job as Op<unknown>)._stage === WOKEN : this._future?.done() === true;
  }

  /** Goes on with it: it may have ended, or wait once more. */
  look(): void {
    try {
      if (this._future !== null) this.outcome = this._future.result();
      else {
        const step = (this._job as Op<unknown>).next();
        if (step.done !== true) {
          // Who yields nothing is ready again in the next turn.
          (step.value as unknown as Op<unknown> | undefined)?._park(this as never);
          return;
        }
        this.outcome = step.value;
      }
    } catch (error) {
      this.failed = true;
      this.outcome = error;
    }
    this.ended = true;
  }

  /** It has lost. */
  stop(message: string | undefined): void {
    if (this.ended || this.isAwaited) return;
    if (!this._started && this.kind !== FUTURE) {
      const job = this._job;
      if (job instanceof BaseOperation && job._stage === NEW) job.return(undefined);
    } else if (this.kind === OPERATION) this.leaveLine();
    else this._stopFuture(this._future ?? (this._job as Future<unknown>), message);
  }

  /** @internal */
  _stopFuture(future: Future<unknown>, message: string | undefined): void {
    if (this.kind === PROMISE) {
      // It goes on by itself, as promises do.
      if (this._onDone !== null) future.removeDoneCallback(this._onDone);
    } else if (future.done()) this._noteLoss(future);
    else {
      if (this._onDone === null) this._follow(future);
      future.cancel(message);
      if (future.done()) return;
      this.isAwaited = true;
      this._contest._left++;
    }
  }

  /** Tells of an error that nobody else will see: what was given as a Future has somebody who may look at it. */
  _noteLoss(future: Future<unknown>): void {
    if (this.kind !== TASK || future._state !== FAILED) return;
    const exception = future.exception();
    // Before one succeeds, to fail is to be expected.
    if (this._contest._rules.firstSuccess && !this.isAwaited) return;
    const message = `Exception in a job that lost in ${this._contest.describe()}()`;
    future._loop.callExceptionHandler({ message, exception, task: future as Task<unknown> });
  }

  /** An operation gives up its place, and what it was woken for. */
  leaveLine(): void {
    if (this.kind === OPERATION && this._started && !this.ended) (this._job as Op<unknown>)._end();
  }

  describe(): string {
    return (this._future ?? (this._job as Op<unknown>))._waitsFor().describe();
  }

  /** What must happen for it or, once it has lost, before it has ended. */
  parts(over: boolean): WaitSource[] {
    if (this.ended || this._future?.done() === true || (over && !this.isAwaited)) return [];
    const source: WaitForAny = (this._future ?? (this._job as Op<unknown>))._waitsFor();
    return source._parts?.() ?? [source];
  }

  // ── In the place of a task ───────────────────────────────────────────────────────────────────────────────────────────

  get _loop(): this {
    return this;
  }

  _enqueue(): void {
    this._contest._wake();
  }

  /** The task that waits in truth. */
  _self(): Task<unknown> | null {
    return (this._contest._waiting as Partial<Task<unknown>> | null)?._self?.() ?? null;
  }

  _choose(): boolean {
    return this._contest._choose(this);
  }

  get _whole(): object {
    const outer = this._contest._waiting as Choice | null;
    return outer?._whole ?? this._contest;
  }
}

function kindOf(job: Job<unknown>): number {
  if (job instanceof Op) return job instanceof Contest && !job.isPlain ? TASK : OPERATION;
  if (job instanceof Future) return FUTURE;
  return typeof job === "function" || isCoroutine(job) ? TASK : PROMISE;
}

/** Refuses, before anything is started, what cannot be. */
function refuseUnfit(jobs: readonly Job<unknown>[]): void {
  const seen = new Set<unknown>();
  for (const job of jobs) {
    if (typeof job !== "function" && !isCoroutine(job) && !isPromiseLike(job)) throw notAJob(job);
    const used = job instanceof BaseOperation && job._stage !== NEW;
    if (used || (isCoroutine(job) && seen.has(job)))
      throw reused(job instanceof BaseOperation ? job.describe() : "a coroutine");
    seen.add(job);
    if (job instanceof Promise && !guarded.has(job)) {
      // One that is rejected before the contest begins has somebody who looks at it.
      guarded.add(job);
      job.then(undefined, () => {});
    }
  }
}

const guarded = new WeakSet<object>();
const followed = new WeakMap<object, Future<unknown>>();

/**
 * The future of a promise.
 *
 * A promise keeps whoever listens until it is settled: one that lives long, and is given again and again, would keep them all. So
 * all contests share what listens to it, and leave that when they are over.
 */
function watch(promise: PromiseLike<unknown>, loop: EventLoop): Future<unknown> {
  let future = followed.get(promise);
  if (future?._loop === loop) return future;
  future = ensureFuture(promise, { loop });
  // Its error is for those who wait then; whoever has the promise has its error, too.
  future.addDoneCallback((settled) => settled._retrieved());
  if (promise instanceof Promise) followed.set(promise, future);
  return future;
}

function shuffle(items: unknown[]): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(chance() * (i + 1));
    [items[i], items[j]] = [items[j], items[i]];
  }
}

/** Refuses options that are none. */
export function checkOptions(options: unknown, example: string): void {
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw unexpected(`\`options\` to be an object such as ${example}`, options);
  }
}

/** Refuses what is neither true nor false. */
export function checkFlag(flag: unknown, name: string): boolean {
  if (flag === undefined || typeof flag === "boolean") return flag === true;
  throw unexpected(`\`${name}\` to be true or false`, flag);
}
