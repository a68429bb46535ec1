/** Runs a scenario under many schedules; shrinks a failure, shows it step by step, and tells how to have it again. */

import { unexpected } from "../base/errors.ts";
import type { TestBody } from "./context.ts";
import { Random } from "./random.ts";
import { type RecordedStep, RunRecorder } from "./record.ts";
import { formatFailure } from "./report.ts";
import { formatSchedule, type Injection, parseSchedule, type Schedule, STRETCH } from "./schedule.ts";
import { makeSearch, type Strategy } from "./search.ts";
import { type Candidate, deviationsOf, shrink, type Try } from "./shrink.ts";
import { type Failure, integer, type Outcome, type Plan, planOf, type RunOptions, simulate } from "./simulate.ts";
import { type Chooser, Prescribed } from "./strategies.ts";

export interface ScenarioOptions extends RunOptions {
  /** Shown in the failure. */
  readonly name?: string | undefined;
}

export interface ExploreOptions extends ScenarioOptions {
  /** How many schedules to try at most; 1000 by default, or the environment's TSYNCIO_RUNS. */
  readonly runs?: number | undefined;
  /** Which ones: `portfolio` by default, which is some of all. */
  readonly strategy?: Strategy | undefined;
  /** All chance comes from it: the same seed gives the same runs. 1 by default, or the environment's TSYNCIO_SEED. */
  readonly seed?: number | undefined;
  /** Whether a task is cancelled at some step, in half of the runs. False by default. */
  readonly cancel?: boolean | undefined;
}

/** What an exploration without failure has seen. */
export interface Exploration {
  readonly runs: number;
  readonly steps: number;
  /** Whether there is no other schedule; never true with `cancel`, as cancellations are not tried in all places. */
  readonly complete: boolean;
  readonly seed: number;
}

/** A schedule under which a scenario fails. `cause` is what it fails with. */
export class ScheduleError extends Error {
  override name = "ScheduleError";
  readonly code = "SCHEDULE_FAILED";
  /** The replay string. */
  readonly schedule: string;
  /** How many schedules had been tried, this one included. */
  readonly runs: number;
  /** The smallest failing run, step by step. */
  readonly steps: readonly RecordedStep[];

  constructor(message: string, details: { schedule: string; runs: number; steps: readonly RecordedStep[]; cause: unknown }) {
    super(message, { cause: details.cause });
    this.schedule = details.schedule;
    this.runs = details.runs;
    this.steps = details.steps;
  }
}

/** A scenario depends on something that is not under control, so that what was found cannot be had again. */
export class NondeterminismError extends Error {
  override name = "NondeterminismError";
  readonly code = "NONDETERMINISM";
}

const UNCONTROLLED =
  "it depends on something besides the schedule, such as Math.random(), Date.now(), real I/O, or state that outlives a run; take choices from context.choose(), time from context.now()";

/**
 * Runs a scenario many times under virtual time, each time in another order of what is ready, and fails on the first order
 * under which it throws, deadlocks, breaks an invariant, or leaves something behind.
 *
 * The failing schedule is shrunk and shown step by step. The same seed makes the same runs, on every platform.
 *
 * @param scenario - A `function*` or an async function that makes all its state anew; given a {@link TestContext}.
 * @param options - `runs`, `strategy`, `seed`, `cancel`, `name`, `maxSteps`, `strict`.
 * @throws (by rejection) {ScheduleError} with the smallest failing schedule; {NondeterminismError} when the scenario does not do
 *   the same under the same schedule; {RangeError} for options out of range.
 *
 * **Suspends** nobody: it is called outside of tasks, and gives a promise. **Source** ours; methods: see {@link Strategy}.
 *
 * @example
 * ```ts no-task
 * const { complete } = await explore(function* () {
 *   const lock = new Lock();
 *   yield* gather(lock.with(function* () {}), lock.with(function* () {}));
 * });
 * complete; // => true
 * ```
 */
export async function explore(scenario: TestBody, options: ExploreOptions = {}): Promise<Exploration> {
  checkScenario(scenario, "explore");
  const given = fromEnvironment();
  if (given.schedule !== undefined) return replay(scenario, given.schedule, options);
  const runs = integer("runs", given.runs ?? options.runs ?? 1000);
  const seed = integer("seed", given.seed ?? options.seed ?? 1, 0);
  const random = new Random(seed);
  const search = makeSearch(options.strategy ?? "portfolio", random);
  const explorer = new Explorer(scenario, options, seed, options.cancel);
  let longest = 0;
  let tasks = 1;
  for (let run = 1; run <= runs; run++) {
    const chooser = search.next();
    if (chooser === null) break;
    const cancels = options.cancel === true && run > 1 && random.below(2) === 0;
    const injections = cancels ? [{ step: random.below(longest + 1), task: random.below(tasks) }] : [];
    const outcome = await explorer.run(chooser, injections);
    if (run === 1) await explorer.checkAgain(outcome);
    search.learn(outcome);
    if (outcome.failure !== null)
      await explorer.fail(outcome, injections, `${search.name}, run ${run} of ${runs}, seed ${seed}`);
    longest = Math.max(longest, outcome.steps);
    tasks = Math.max(tasks, outcome.tasks.length);
    // All orders have been seen; cancellations are another dimension, which never ends.
    if (search.complete && options.cancel !== true) break;
  }
  const complete = search.complete && options.cancel !== true;
  return { runs: explorer.runs, steps: explorer.steps, complete, seed };
}

/**
 * Runs a scenario under the schedule of a failure that `explore` or `cancelEverywhere` found.
 *
 * @param schedule - The replay string.
 * @throws (by rejection) {ScheduleError} when it still fails; {NondeterminismError} when the scenario has changed so much that the
 *   schedule does not fit any more; {RangeError} when the text is not a schedule.
 *
 * **Suspends** nobody: it is called outside of tasks, and gives a promise. **Source** ours.
 *
 * @example
 * ```ts no-task
 * const { runs } = await replay(function* () { yield* sleep("1h"); }, "ts1.1!~");
 * runs; // => 1
 * ```
 */
export async function replay(scenario: TestBody, schedule: string, options: ScenarioOptions = {}): Promise<Exploration> {
  checkScenario(scenario, "replay");
  const { seed, deviations, injections, fingerprint } = parseSchedule(schedule);
  const explorer = new Explorer(scenario, options, seed);
  const outcome = await explorer.run(new Prescribed(deviations), injections);
  const misfit = fingerprint.findIndex((each, index) => outcome.fingerprint[index] !== each);
  if (misfit >= 0 && misfit < outcome.fingerprint.length) {
    throw new NondeterminismError(
      `The schedule does not fit from decision ${misfit * STRETCH} on: the scenario has changed since, or ${UNCONTROLLED}`,
    );
  }
  if (outcome.failure !== null)
    await explorer.show({ deviations: [...deviations], injections }, outcome.failure, "replayed", "as given");
  return { runs: explorer.runs, steps: explorer.steps, complete: false, seed };
}

/** Ends with the run that is being written down: one at a time, as that switches debug mode on for the whole process. */
let recording: Promise<unknown> = Promise.resolve();

/** Runs one scenario, counts, and tells of failures. */
export class Explorer {
  runs = 0;
  steps = 0;
  readonly #scenario: TestBody;
  readonly #name: string | undefined;
  readonly #plan: Omit<Plan, "chooser" | "injections" | "recorder">;
  readonly #cancels: boolean;

  constructor(scenario: TestBody, options: ScenarioOptions, seed: number, cancels = false) {
    this.#scenario = scenario;
    this.#name = options.name;
    this.#plan = planOf(options, seed);
    this.#cancels = cancels;
  }

  async run(chooser: Chooser, injections: readonly Injection[], recorder?: RunRecorder): Promise<Outcome> {
    const whom = this.#cancels || injections.length > 0 ? injections : null;
    const outcome = await simulate(this.#scenario, { ...this.#plan, chooser, injections: whom, recorder });
    this.runs++;
    this.steps += outcome.steps;
    return outcome;
  }

  /** Runs the first schedule once more: if it goes another way, nothing that is found means anything. */
  async checkAgain(first: Outcome): Promise<void> {
    const again = await this.run(new Prescribed(new Map(deviationsOf(first))), []);
    this.runs--;
    const same =
      first.steps === again.steps &&
      String(first.choices) === String(again.choices) &&
      String(first.counts) === String(again.counts);
    if (!same) throw new NondeterminismError(`The scenario goes different ways under the same schedule: ${UNCONTROLLED}`);
  }

  /** Shrinks a failure and throws it. */
  async fail(outcome: Outcome, injections: readonly Injection[], found: string): Promise<never> {
    const { kind } = outcome.failure as Failure;
    const runs = this.runs;
    const attempt: Try = async (chooser, injections) => {
      const tried = await this.run(chooser, injections);
      return { outcome: tried, same: tried.failure?.kind === kind };
    };
    const original = { deviations: deviationsOf(outcome), injections };
    const again = await attempt(new Prescribed(new Map(original.deviations)), injections);
    if (!again.same) {
      throw new NondeterminismError(`The scenario failed (${found}), but not again under the same schedule: ${UNCONTROLLED}`, {
        cause: outcome.failure?.error,
      });
    }
    const smallest = await shrink(original, attempt);
    this.runs = runs;
    const cancels =
      ["", " and 1 cancellation"][smallest.injections.length] ?? ` and ${smallest.injections.length} cancellations`;
    const decisions = `${original.deviations.length} → ${smallest.deviations.length} decisions besides first come, first served${cancels}`;
    return this.show(smallest, outcome.failure as Failure, found, decisions);
  }

  /** Runs a failing schedule once more, writing it down, and throws it. */
  async show(candidate: Candidate, failure: Failure, found: string, shrunk: string): Promise<never> {
    const recorder = new RunRecorder();
    const { runs } = this;
    const run = recording.then(() => this.run(new Prescribed(new Map(candidate.deviations)), candidate.injections, recorder));
    recording = run.catch(() => {});
    const last = await run;
    const shown = last.failure ?? failure;
    const details: Schedule = {
      seed: this.#plan.seed,
      deviations: new Map(candidate.deviations),
      injections: candidate.injections,
      fingerprint: last.fingerprint,
    };
    const schedule = formatSchedule(details);
    const { steps } = recorder;
    const message = formatFailure({ name: this.#name, failure: shown, found, shrunk, steps, schedule });
    throw new ScheduleError(message, { schedule, runs, steps, cause: shown.error });
  }
}

/** A failure is looked into from the command line, without changing the test. */
function fromEnvironment(): { schedule?: string; runs?: number; seed?: number } {
  const { TSYNCIO_SCHEDULE, TSYNCIO_RUNS, TSYNCIO_SEED } = globalThis.process?.env ?? {};
  return {
    ...(TSYNCIO_SCHEDULE && { schedule: TSYNCIO_SCHEDULE }),
    ...(TSYNCIO_RUNS && { runs: Number(TSYNCIO_RUNS) }),
    ...(TSYNCIO_SEED && { seed: Number(TSYNCIO_SEED) }),
  };
}

export function checkScenario(scenario: unknown, name: string): void {
  if (typeof scenario === "function") return;
  throw unexpected(`a function* or an async function for ${name}()`, scenario, "pass the function itself, do not call it");
}
