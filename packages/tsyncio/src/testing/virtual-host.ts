/** A platform with a clock of its own: time stands still while anybody can run, and jumps when all wait. */

import { host as platform } from "#host";
import { type Duration, milliseconds } from "../base/duration.ts";
import { formatReport } from "../inspect/format-report.ts";
import { deadlock } from "../inspect/wait-graph.ts";
import type { DebugTools } from "../kernel/debug-tools.ts";
import type { Ambient, AsyncLocal, Guard, Host, Location, Program, ReadyQueue, Suspendable } from "../kernel/host.ts";
import type { EventLoop, ExceptionContext } from "../kernel/loop.ts";
import { ExternalWork, hasForeignWaits } from "./external.ts";
import { Random } from "./random.ts";
import { waitReally } from "./resources.ts";
import { StepQueue } from "./step-queue.ts";

export interface VirtualHostOptions {
  /** What the clock shows at first, in milliseconds; 0 by default. */
  readonly start?: number | undefined;
  /** Whether the clock jumps to the next deadline when all tasks wait. True by default; otherwise only `advance` moves it. */
  readonly autojump?: boolean | undefined;
  /** The seed of `random()`; 1 by default. */
  readonly seed?: number | undefined;
}

interface Timer {
  readonly when: number;
  readonly callback: () => void;
}

// Tests may fake the clock; real waiting needs the real one.
const clock = globalThis.performance;

/** How often it is looked whether real I/O has ended, in real milliseconds. */
const POLL = 1;
/** Turns of the host after which a foreign promise is taken to rest on nothing. */
const QUIET = 3;
/** Real milliseconds in which turns may follow each other without a chance for real I/O. */
const SLICE = 2;

/**
 * A host for loops under virtual time: `new EventLoop({ host: new VirtualHost() })`.
 *
 * When nothing is ready, the clock jumps to the next deadline, unless real I/O or a foreign promise is under way: that may act
 * before, and is waited for. Real time plays no part otherwise, so an hour of sleeping takes microseconds and a test cannot be
 * flaky because of the machine's load. When nothing is left that could act, the program ends with a DeadlockError.
 *
 * @example
 * ```ts no-task
 * const host = new VirtualHost();
 * await run(sleep("1h"), { loop: new EventLoop({ host }) });
 * host.now(); // => 3600000
 * ```
 */
export class VirtualHost implements Host {
  readonly debug: boolean = false;
  readonly debugTools: DebugTools | null = platform.debugTools;
  /** What the library wanted to tell the user: diagnostics, lost errors. */
  readonly reports: string[] = [];
  /** @internal The loops that run on this host. */
  _loops: EventLoop[] = [];
  /** @internal */
  readonly _external: ExternalWork = new ExternalWork();
  readonly #random: Random;
  #now: number;
  /** The clock must not jump further than this. */
  #limit: number;
  #timers: Timer[] = [];
  #onIdle: (() => void)[] = [];
  /** Called, one at each time that all tasks wait, before the clock moves. */
  #onSettled: (() => void)[] = [];
  /** Calls back that are due. */
  #due = 0;
  #looking = false;
  #polling = false;
  #outsideSince: number | undefined;
  /** Turns of the host in which nothing happened, while a foreign promise is waited for. */
  #quiet = 0;
  #sliceStart = 0;
  #turns = 0;

  constructor(options: VirtualHostOptions = {}) {
    this.#now = options.start ?? 0;
    this.#limit = options.autojump === false ? this.#now : Number.POSITIVE_INFINITY;
    this.#random = new Random(options.seed ?? 1);
  }

  /** The virtual time, in milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Lets the clock go further by a duration, where `autojump` is off. It moves when all tasks wait. */
  advance(duration: Duration): void {
    this.#limit = Math.max(this.#limit, this.#now) + milliseconds(duration, "duration");
    this.#look();
  }

  /** Calls back as soon as all tasks wait, before the clock moves. */
  whenSettled(callback: () => void): void {
    this.#onSettled.push(callback);
    this.#look();
  }

  /** From the seed, so that a run can be had again. */
  random(): number {
    return this.#random.next();
  }

  /** Keeps a message in `reports`. */
  report(message: string, context?: ExceptionContext): void {
    this.reports.push(formatReport(message, context));
  }

  // ── For the loop ─────────────────────────────────────────────────────────────────────────────────────────────────────

  createQueue(loop: EventLoop): ReadyQueue {
    this._adopt(loop);
    return new StepQueue(loop);
  }

  /** @internal */
  _adopt(loop: EventLoop): void {
    this._loops = this._loops.filter((each) => !each.isClosed());
    this._loops.push(loop);
  }

  wakeSoon(callback: () => void): void {
    this.#due++;
    platform.wakeSoon(() => {
      this.#sliceStart = clock.now();
      this.#call(callback);
    });
  }

  wakeSettled(callback: () => void): void {
    // Virtual time does not tell the loop when real I/O has waited long enough, so it is told here.
    if ((++this.#turns & 63) === 0 && clock.now() - this.#sliceStart >= SLICE) this.wakeSoon(callback);
    else {
      this.#due++;
      platform.wakeSettled(() => this.#call(callback));
    }
  }

  wakeAt(when: number, callback: () => void): unknown {
    const timer = { when, callback };
    this.#timers.push(timer);
    this.#look();
    return timer;
  }

  cancel(timer: unknown): void {
    const index = this.#timers.indexOf(timer as Timer);
    if (index >= 0) this.#timers.splice(index, 1);
  }

  onIdle(callback: () => void): () => void {
    this.#onIdle.push(callback);
    this.#look();
    return () => {
      this.#onIdle = this.#onIdle.filter((each) => each !== callback);
    };
  }

  isHeard(signal: AbortSignal): boolean {
    return platform.isHeard?.(signal) ?? true;
  }

  /** Watches for deadlocks only: signals are for the process that runs the tests. */
  guard(program: Program): Guard {
    return { explain: (error) => error, release: this.onIdle(() => program.loop._abort(deadlock(program.loop))) };
  }

  captureAmbient(neutral?: boolean): Ambient | null {
    return platform.captureAmbient(neutral);
  }

  createAsyncLocal<T>(): AsyncLocal<T> | null {
    return platform.createAsyncLocal<T>();
  }

  locate(frames: readonly Suspendable[]): (Location | undefined)[] {
    return platform.locate?.(frames) ?? [];
  }

  #call(callback: () => void): void {
    this.#due--;
    this.#outsideSince = undefined;
    this.#quiet = 0;
    callback();
    this.#look();
  }

  /** Looks, once the microtasks are done, whether everybody waits. */
  #look(): void {
    if (this.#looking || this.#due > 0) return;
    this.#looking = true;
    platform.wakeSettled(() => {
      this.#looking = false;
      if (this.#due === 0) this.#allWait();
    });
  }

  #allWait(): void {
    const settled = this.#onSettled.shift();
    if (settled !== undefined) {
      settled();
      this.#look();
      return;
    }
    let next: Timer | undefined;
    for (const each of this.#timers) if (next === undefined || each.when < next.when) next = each;
    if (next !== undefined && next.when > this.#limit) return;
    if (next === undefined ? this._external.anyLeft(this._loops) : this._external.mayAct(this._loops)) this.#poll();
    else if (this.#quiet < QUIET && this._loops.some(hasForeignWaits)) this.#lookAgain();
    else if (next === undefined) for (const callback of this.#onIdle) callback();
    else {
      this.cancel(next);
      this.#now = Math.max(this.#now, next.when);
      next.callback();
      this.#look();
    }
  }

  /** What a foreign promise rests on may begin some turns after the promise was made. */
  #lookAgain(): void {
    this.#quiet++;
    platform.wakeSoon(() => {
      if (this.#due === 0) this.#allWait();
    });
  }

  /** @internal Told for how many real milliseconds all tasks have waited for something outside. */
  _waitsForOutside(_milliseconds: number): void {}

  /** Looks again soon. The timer keeps the process alive, since the test is not over. */
  #poll(): void {
    if (this.#polling || !this._loops.some((loop) => loop.isRunning())) return;
    this.#polling = true;
    if (this.#outsideSince === undefined) this.#outsideSince = clock.now();
    else this._waitsForOutside(clock.now() - this.#outsideSince);
    waitReally(() => {
      this.#polling = false;
      this.#look();
    }, POLL);
  }
}
