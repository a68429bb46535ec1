/** Cancels every task of a scenario at every step of it, a run for each, and checks that nothing is lost, held or stuck. */

import type { TestBody } from "./context.ts";
import { checkScenario, Explorer, type ScenarioOptions } from "./explore.ts";
import type { Injection } from "./schedule.ts";
import { integer, type Outcome } from "./simulate.ts";
import { Prescribed } from "./strategies.ts";

export interface CancelOptions extends ScenarioOptions {
  /** Which tasks are cancelled, by name; all by default. The scenario's own is called "main". */
  readonly only?: ((name: string) => boolean) | undefined;
  /** Whether each task is also cancelled a second time, when it has answered the first: most likely in its cleanup. False by default. */
  readonly twice?: boolean | undefined;
  /** Runs at most; 10 000 by default. Of more, as many are picked evenly. */
  readonly runs?: number | undefined;
}

export interface CancelSweep {
  readonly runs: number;
  /** The runs in which a task was met alive. */
  readonly cancelled: number;
  /** Whether every task was cancelled at every step. */
  readonly complete: boolean;
}

/**
 * Runs a scenario once undisturbed, and then once for each task and step, with the task cancelled before that step.
 *
 * So each task is cancelled before it starts, as soon as it waits, while it waits, when it has been woken and not run yet, and
 * within its cleanup. In every run the scenario must end: well, or with a CancelledError. Its invariants and end checks must
 * hold, no task may swallow the cancellation or refuse to end, and no lock may be left held.
 *
 * @param scenario - A `function*` or an async function that makes all its state anew; given a {@link TestContext}.
 * @param options - `only`, `twice`, `runs`, `name`, `maxSteps`, `strict`.
 * @throws (by rejection) {ScheduleError} for the first run that fails.
 *
 * **Suspends** nobody: it is called outside of tasks, and gives a promise. **Source** ours.
 *
 * @example
 * ```ts no-task
 * const { complete } = await cancelEverywhere(function* (t) {
 *   const lock = new Lock();
 *   t.atEnd(() => { if (lock.locked()) throw new Error("held"); });
 *   yield* gather(lock.with(() => sleep(1)), lock.with(() => sleep(1)));
 * });
 * complete; // => true
 * ```
 */
export async function cancelEverywhere(scenario: TestBody, options: CancelOptions = {}): Promise<CancelSweep> {
  checkScenario(scenario, "cancelEverywhere");
  const limit = integer("runs", options.runs ?? 10_000);
  const explorer = new Explorer(scenario, options, 1, true);
  let cancelled = 0;
  const perform = async (injections: readonly Injection[]): Promise<Outcome> => {
    const outcome = await explorer.run(new Prescribed(), injections);
    if (outcome.failure !== null) await explorer.fail(outcome, injections, told(outcome, injections));
    if (outcome.met > 0) cancelled++;
    return outcome;
  };

  const undisturbed = await perform([]);
  await explorer.checkAgain(undisturbed);
  const points = pointsOf(undisturbed, options.only);
  const count = Math.min(points.length, limit);
  for (let i = 0; i < count; i++) {
    const injection = points[Math.floor((i * points.length) / count)] as Injection;
    const { answered, steps } = await perform([injection]);
    if (options.twice && answered < steps) await perform([injection, { ...injection, step: answered }]);
  }
  return { runs: explorer.runs, cancelled, complete: count === points.length };
}

/** Each task before each step at which it is alive. */
function pointsOf({ tasks, steps }: Outcome, only: CancelOptions["only"]): Injection[] {
  return tasks.flatMap(({ task: { name }, born, ended }, task) => {
    if (only !== undefined && !only(name)) return [];
    const last = Math.min(ended, steps);
    return Array.from({ length: Math.max(0, last - born) }, (_, i) => ({ step: born + i, task }));
  });
}

function told({ tasks }: Outcome, injections: readonly Injection[]): string {
  if (injections.length === 0) return "first come, first served, nobody cancelled";
  return injections.map(({ step, task }) => `"${tasks[task]?.task.name}" cancelled before step ${step + 1}`).join(", then ");
}
