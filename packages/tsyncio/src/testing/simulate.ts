/** One run of a scenario: under virtual time, in an order that a chooser decides, with all that can go wrong checked. */

import { host as platform } from "#host";
import { type Duration, milliseconds } from "../base/duration.ts";
import { isCancelled, RuntimeError, TimeoutError } from "../base/errors.ts";
import { deadlock } from "../inspect/wait-graph.ts";
import { runningTask } from "../kernel/current.ts";
import type { Runnable } from "../kernel/handle.ts";
import type { Ambient, ReadyQueue } from "../kernel/host.ts";
import { isGeneratorFunction } from "../kernel/kinds.ts";
import { EventLoop } from "../kernel/loop.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Task } from "../kernel/task.ts";
import { cancelAllTasks } from "../run/program.ts";
import { ChoosingQueue, type Scheduler } from "./choosing-queue.ts";
import { BaseContext, type TestBody } from "./context.ts";
import { foreignWaits } from "./external.ts";
import { heldLocks, leftRunning, type Problem, ProblemError, swallowed, unhandled } from "./problems.ts";
import { type Injection, STRETCH } from "./schedule.ts";
import { PAUSE } from "./step-queue.ts";
import type { Chooser } from "./strategies.ts";
import { VirtualHost } from "./virtual-host.ts";
import { type Life, Watch } from "./watch.ts";

/** How a scenario is to be run. */
export interface Plan {
  readonly seed: number;
  readonly chooser: Chooser;
  /** Whom to cancel when; null where nobody ever is, and the tasks need not be counted. */
  readonly injections: readonly Injection[] | null;
  /** The ambient state of whoever wants the run. To capture it costs as much as some steps, so it is done once for all runs. */
  readonly ambient: Ambient | null;
  /** A run that takes more steps fails: it makes no progress. */
  readonly maxSteps: number;
  /** The virtual time, in milliseconds, at which the run fails if it has not ended; Infinity for never. */
  readonly timeout: number;
  /** Real milliseconds that something outside may keep the run waiting. */
  readonly realTimeout: number;
  /** Whether what leaks and what is lost fails the run. */
  readonly strict: boolean;
  /** Told of every step; for the run that is shown. */
  readonly recorder?: Recorder | undefined;
}

/** What a user may say about each run. */
export interface RunOptions {
  /** A run that takes more steps fails, as it makes no progress; 1 000 000 by default. */
  readonly maxSteps?: number | undefined;
  /** A run that takes more virtual time fails; `"1d"` by default. */
  readonly timeout?: Duration | undefined;
  /** A run that is kept waiting by something outside for longer, in real time, fails; `"4s"` by default. */
  readonly realTimeout?: Duration | undefined;
  /** Whether a run also fails by what it leaves behind: tasks, locks, lost errors, swallowed cancellations. True by default. */
  readonly strict?: boolean | undefined;
}

/** The part of a plan that is the same for all runs. Also captures who wants them. */
export function planOf(options: RunOptions, seed: number): Omit<Plan, "chooser" | "injections" | "recorder"> {
  return {
    seed,
    ambient: platform.captureAmbient(),
    maxSteps: integer("maxSteps", options.maxSteps ?? 1_000_000),
    timeout: milliseconds(options.timeout ?? "1d", "timeout"),
    realTimeout: milliseconds(options.realTimeout ?? "4s", "realTimeout"),
    strict: options.strict ?? true,
  };
}

/** @throws {RangeError} */
export function integer(name: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`Expected \`${name}\` to be an integer ≥ ${least}, got ${value}`);
}

/** Writes down what happens. */
export interface Recorder {
  start(loop: EventLoop): void;
  /** `choice` is the place in the line of those that were ready, of which 0 is first. */
  step(entry: Runnable, choice: number): void;
  note(text: string): void;
  end(): void;
}

/** What came of a run. */
export interface Outcome {
  /** What the scenario returned. */
  readonly result: unknown;
  /** What it failed with. */
  readonly failure: Failure | null;
  /** The choice at each decision, and among how many. */
  readonly choices: readonly number[];
  readonly counts: readonly number[];
  readonly fingerprint: readonly number[];
  readonly steps: number;
  /** The tasks, in order of birth, if the plan wants to know. */
  readonly tasks: readonly Life[];
  /** The injections that met their task alive. */
  readonly met: number;
  /** The number of steps when a task that had been cancelled had run once more; Infinity if it never did. */
  readonly answered: number;
}

export interface Failure {
  readonly error: unknown;
  /** Failures of one kind are taken for the same when a schedule is shrunk. */
  readonly kind: string;
  /** What else was found. */
  readonly problems: readonly Problem[];
}

/** A run took too many steps. */
export class NoProgressError extends Error {
  override name = "NoProgressError";
  readonly code = "NO_PROGRESS";
}

/** Real milliseconds after which it is told what a run waits for. */
const PATIENCE = 1000;
/** Steps that cleaning up may take when a run is over. */
const CLEANUP = 10_000;

/** Runs a scenario once. */
export async function simulate(body: TestBody, plan: Plan): Promise<Outcome> {
  return new Simulation(plan).perform(body);
}

class SimulatedHost extends VirtualHost {
  readonly #scheduler: Scheduler;
  readonly #plan: Plan;
  #told = false;

  constructor(scheduler: Scheduler, plan: Plan) {
    super({ seed: plan.seed });
    this.#scheduler = scheduler;
    this.#plan = plan;
  }

  override createQueue(loop: EventLoop): ReadyQueue {
    this._adopt(loop);
    return new ChoosingQueue(this.#scheduler);
  }

  /** Real waiting is fine for a moment; then it is told what for, and ends some time. */
  override _waitsForOutside(milliseconds: number): void {
    const waiting = this._loops.flatMap(foreignWaits).join(", ");
    const what = `for ${Math.round(milliseconds)} ms of real time for something outside of the library${waiting === "" ? "" : `; waiting for promises: ${waiting}`}`;
    if (milliseconds >= this.#plan.realTimeout) {
      for (const loop of this._loops) loop._abort(new RuntimeError(`The test has waited ${what}`, "WAITS_FOR_OUTSIDE"));
    } else if (milliseconds >= PATIENCE && !this.#told) {
      this.#told = true;
      platform.report(`tsyncio: a test has been waiting ${what}`);
    }
  }

  override captureAmbient(neutral?: boolean): Ambient | null {
    return runningTask() === null ? this.#plan.ambient : super.captureAmbient(neutral);
  }
}

class Simulation implements Scheduler {
  readonly #plan: Plan;
  readonly #loop: EventLoop;
  readonly #watch: Watch;
  readonly #context: BaseContext;
  readonly #problems: Problem[] = [];
  readonly #choices: number[] = [];
  readonly #counts: number[] = [];
  readonly #fingerprint: number[] = [];
  #print = 0;
  #picked = 0;
  #steps = 0;
  #limit: number;
  #injected = 0;
  #met = 0;
  #victim: Task<unknown> | null = null;
  #answered = Number.POSITIVE_INFINITY;
  /** The scenario has ended or failed; what follows is cleaning up. */
  #over = false;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#limit = plan.maxSteps;
    const host = new SimulatedHost(this, plan);
    this.#loop = new EventLoop({ host, debug: false });
    this.#watch = new Watch(this.#loop, plan.injections !== null);
    this.#watch.onProblem = (problem) => this.#note(problem);
    this.#loop.setExceptionHandler((_, context) => this.#note(unhandled(context)));
    this.#context = new BaseContext(this.#loop, host, (count) => this.#decide(count, null));
  }

  async perform(body: TestBody): Promise<Outcome> {
    const { recorder } = this.#plan;
    recorder?.start(this.#loop);
    let failure: Failure | null = null;
    let result: unknown;
    try {
      result = await this.#main(body);
    } catch (error) {
      // A cancellation that was injected may well be what the main task ends with.
      if (!(isCancelled(error) && this.#met > 0)) failure = this.#failed(error);
    }
    recorder?.end();
    if (failure === null) failure = await this.#end();
    else await this.#cleanUp();
    this.#watch.stop();
    return {
      result,
      failure,
      choices: this.#choices,
      counts: this.#counts,
      fingerprint: this.#fingerprint,
      steps: this.#steps,
      tasks: [...(this.#watch.lives?.values() ?? [])],
      met: this.#met,
      answered: this.#answered,
    };
  }

  async #main(body: TestBody): Promise<unknown> {
    const loop = this.#loop;
    const context = this.#context;
    const main = isGeneratorFunction(body) ? (body(context) as Coroutine<unknown>) : () => body(context) as Coroutine<unknown>;
    const task = loop.createTask(main, { name: "main" });
    const unwatch = loop._host.onIdle(() => loop._abort(deadlock(loop)));
    let result: unknown;
    try {
      result = await loop.runUntilComplete(task);
    } finally {
      unwatch();
      this.#over = true;
    }
    for (const check of context._invariants) check();
    return result;
  }

  /** Ends what still runs, and looks for what is wrong. */
  async #end(): Promise<Failure | null> {
    if (this.#met === 0) this.#problems.push(...leftRunning(this.#loop));
    await this.#cleanUp();
    this.#problems.push(...heldLocks(this.#watch), ...swallowed(this.#watch));
    try {
      for (const check of this.#context._endChecks) check();
    } catch (error) {
      return this.#failed(error);
    }
    const [first] = this.#problems;
    if (first === undefined || !this.#plan.strict) return null;
    return { error: new ProblemError(this.#problems), kind: first.code, problems: [] };
  }

  #failed(error: unknown): Failure {
    return { error, kind: kindOf(error), problems: this.#plan.strict ? [...this.#problems] : [] };
  }

  async #cleanUp(): Promise<void> {
    this.#over = true;
    this.#limit = this.#steps + CLEANUP;
    try {
      if (this.#loop._tasks.first !== null) await cancelAllTasks(this.#loop);
    } catch (error) {
      this.#problems.push({ code: "NEVER_ENDS", message: `tasks do not end when cancelled: ${(error as Error).message}` });
    }
    this.#loop.close();
  }

  #note(problem: Problem): void {
    // Whoever is cancelled cannot look at the errors of the tasks it leaves behind.
    if (this.#over && this.#met > 0 && problem.code === "UNHANDLED") return;
    this.#problems.push(problem);
    if (!this.#over) this.#plan.recorder?.note(problem.message);
  }

  // ── The order ────────────────────────────────────────────────────────────────────────────────────────────────────────

  beforeStep(): boolean {
    if (this.#steps >= this.#limit) {
      this.#loop._abort(
        new NoProgressError(`${this.#steps} steps were taken, and no end is in sight: an endless loop, or a livelock`),
      );
      return false;
    }
    if (this.#over) return true;
    if (this.#loop.time() > this.#plan.timeout) {
      this.#loop._abort(new TimeoutError(`the test took more than ${this.#plan.timeout} ms of virtual time`));
      return false;
    }
    try {
      for (const check of this.#context._invariants) check();
    } catch (error) {
      this.#loop._abort(error);
      return false;
    }
    this.#inject();
    return true;
  }

  pick(count: number, entries: readonly Runnable[]): number {
    if (!this.#over) this.#picked = this.#decide(count, entries);
    return this.#picked;
  }

  step(entry: Runnable): void {
    this.#watch.steps = ++this.#steps;
    // The virtual clock never says that it is time for real I/O.
    if (this.#steps % PAUSE === 0) this.#loop._settling = true;
    if (this.#over) return;
    if (this.#victim !== null && this.#answered > this.#steps && taskOf(entry) === this.#victim) this.#answered = this.#steps;
    this.#plan.recorder?.step(entry, this.#picked);
    this.#picked = 0;
  }

  #decide(count: number, entries: readonly Runnable[] | null): number {
    if (count < 2 || this.#over) return 0;
    const choice = this.#plan.chooser.choose(count, entries);
    this.#choices.push(choice);
    this.#counts.push(count);
    this.#print = (Math.imul(this.#print, 31) + count * 7 + choice) >>> 0;
    if (this.#choices.length % STRETCH === 0) this.#fingerprint.push(this.#print % 46_656);
    return choice;
  }

  #inject(): void {
    const injections = this.#plan.injections ?? [];
    while (this.#injected < injections.length && (injections[this.#injected] as Injection).step <= this.#steps) {
      const tasks = [...(this.#watch.lives?.keys() ?? [])];
      const task = tasks[(injections[this.#injected++] as Injection).task];
      if (task === undefined || !task.cancel("injected by the test")) continue;
      this.#met++;
      this.#victim ??= task;
      this.#plan.recorder?.note(`${task.name} is cancelled`);
    }
  }
}

/** What tells one failure from another: its class and code. Messages often contain values that vary with the schedule. */
function kindOf(error: unknown): string {
  if (error instanceof ProblemError) return error.code;
  const { name, code } = (typeof error === "object" && error !== null ? error : {}) as { name?: unknown; code?: unknown };
  return `${String(name ?? typeof error)} ${typeof code === "string" ? code : ""}`;
}

/** Whether an entry is a step of a task, and of which. */
export function taskOf(entry: Runnable): Task<unknown> | null {
  return entry instanceof Task ? entry._self() : null;
}
