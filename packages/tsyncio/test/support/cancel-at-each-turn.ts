/**
 * Cancels one task of a scenario at every turn of every millisecond, and checks each time that nothing is left; with lazy tasks
 * and with eager ones.
 *
 * The sibling of cancel-everywhere.ts for scenarios in which time passes: timeouts expire and sleeps end between the cancellations.
 */

import { allTasks, type Coroutine, createTask, type EventLoop, eagerTaskFactory, type Job, sleep, type Task } from "tsyncio";
import { play, type Script, SPELLINGS, type Spelling } from "./cancel-everywhere.ts";
import { runVirtual } from "./virtual.ts";

/** What a scenario has at hand. */
export interface Scene {
  readonly spelling: Spelling;
  /** A function that plays a script in the spelling of the run: a body, or a job that is not started yet. */
  body<A extends unknown[], T>(script: (...args: A) => Script<T>): (...args: A) => never;
  /** Starts a task whose outcome is the scenario's own affair. */
  start(name: string, script: () => Script<unknown>): Task<unknown>;
  /** As `start`, for a task that is the victim of some of the runs: it must end cancelled then, and must not otherwise. */
  victim(name: string, script: () => Script<unknown>): Task<unknown>;
  /** Plays a part that must be cleaned up: counted when it begins, and when its cleanup, which waits a turn, has ended. */
  part<T>(script: () => Script<T>): Script<T>;
}

export interface Limits {
  /** The undisturbed scenario lasts so many milliseconds at most. */
  readonly milliseconds: number;
  /** In each of them, so many turns at most are run before the clock moves on. */
  readonly turns: number;
}

interface Plan {
  readonly spelling: Spelling;
  readonly eager: boolean;
  readonly victim: number;
  readonly at: number;
  readonly turn: number;
  readonly twice: boolean;
}

/** Runs the scenario undisturbed and with every cancellation; returns in how many runs the victim was met alive. */
export async function cancelAtEachTurn(limits: Limits, scenario: (scene: Scene) => void): Promise<number> {
  let met = 0;
  for (const spelling of SPELLINGS) {
    for (const eager of [false, true]) {
      const { victims } = await perform(scenario, { spelling, eager, victim: -1, at: 0, turn: 0, twice: false });
      for (let victim = 0; victim < victims; victim++) {
        for (let at = 0; at <= limits.milliseconds; at++) {
          for (let turn = 0; turn <= limits.turns; turn++) {
            for (const twice of [false, true]) {
              const run = await perform(scenario, { spelling, eager, victim, at, turn, twice });
              if (run.met) met++;
            }
          }
        }
      }
    }
  }
  return met;
}

async function perform(scenario: (scene: Scene) => void, plan: Plan): Promise<{ victims: number; met: boolean }> {
  const victims: Task<unknown>[] = [];
  const tasks: Task<unknown>[] = [];
  let begun = 0;
  let cleaned = 0;
  let met = false;
  try {
    const prepare = (loop: EventLoop): void => loop.setTaskFactory(plan.eager ? eagerTaskFactory : null);
    const { errors, reports } = await runVirtual(playScenario, { prepare });
    function* playScenario(): Coroutine<void> {
      scenario({
        spelling: plan.spelling,
        body: (script) => play(plan.spelling, script) as never,
        start(name, script) {
          const task = createTask(play(plan.spelling, script) as Job<unknown>, { name });
          tasks.push(task);
          return task;
        },
        victim(name, script) {
          const task = this.start(name, script);
          victims.push(task);
          return task;
        },
        *part(script) {
          begun++;
          try {
            return yield* script();
          } finally {
            // A second cancellation may end this wait; what follows it must run all the same.
            try {
              yield sleep(0);
            } finally {
              cleaned++;
            }
          }
        },
      });
      const victim = victims[plan.victim];
      if (victim !== undefined) {
        if (plan.at > 0) yield* sleep(plan.at);
        for (let i = 0; i < plan.turn; i++) yield* sleep(0);
        met = victim.cancel("by the sweep");
        if (plan.twice) {
          yield* sleep(0);
          victim.cancel("by the sweep, again");
        }
      }
      for (const task of tasks) yield* task.join();
      // What a shield left behind ends by itself.
      yield* sleep(1000);

      for (const task of victims) {
        if (task === victim && met) {
          if (!task.cancelled()) throw new Error(`"${task.name}" was cancelled and went on: ${task}`);
        } else {
          if (task.cancelled()) throw new Error(`"${task.name}" ended cancelled, though nobody cancelled it`);
          if (task.exception() !== null) throw task.exception();
          if (task.cancelling() !== 0)
            throw new Error(`"${task.name}" has ${task.cancelling()} requests that no scope took back`);
        }
      }
      if (begun !== cleaned) throw new Error(`${begun} parts began, ${cleaned} were cleaned up`);
      if (allTasks().size !== 1) throw new Error(`left running: ${[...allTasks()].slice(1).join(", ")}`);
    }
    if (errors.length > 0)
      throw new Error(`told the exception handler: ${errors[0]?.message}`, { cause: errors[0]?.exception });
    if (reports.length > 0) throw new Error(`reported: ${reports[0]}`);
  } catch (error) {
    const who = plan.victim < 0 ? "nobody" : `"${victims[plan.victim]?.name}"${plan.twice ? " twice" : ""}`;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `By ${plan.spelling}${plan.eager ? ", eagerly" : ""}, cancelling ${who} at ${plan.at} ms, turn ${plan.turn}: ${reason}`,
      { cause: error },
    );
  }
  return { victims: victims.length, met };
}
