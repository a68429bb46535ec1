/**
 * Cancels every task of a scenario at every turn, and checks each time that nothing is lost, held or stuck.
 *
 * A scenario's actors are written once, as scripts that yield library operations; each run plays them either as `function*`
 * (`yield*` on each operation) or as async functions (`await`). They let others run by `pause()`, never by a delay: the
 * canceller counts turns, so virtual time stands still while it counts.
 */

import { type Body, type Coroutine, createTask, type Future, getRunningLoop, type Operation, sleep, type Task } from "tsyncio";
import { runVirtual, turn } from "./virtual.ts";

export type Spelling = "yield*" | "await";
export const SPELLINGS: readonly Spelling[] = ["yield*", "await"];

/** What an actor does: it yields operations and is handed their results. (Untyped, as the results of `yield` are.) */
// biome-ignore lint/suspicious/noExplicitAny: what `yield` gives depends on what was yielded
export type Script<T = void> = Generator<Operation<any> | Future<any>, T, any>;

/** Plays a script by `yield*` or by `await`. */
export function play<A extends unknown[], T>(spelling: Spelling, script: (...args: A) => Script<T>): Body<A, T> {
  if (spelling === "yield*") {
    return function* (...args: A) {
      const actions = script(...args);
      let step = actions.next();
      while (step.done !== true) {
        let value: unknown;
        try {
          value = yield* step.value as Operation<unknown>;
        } catch (error) {
          step = actions.throw(error);
          continue;
        }
        step = actions.next(value);
      }
      return step.value;
    };
  }
  return async (...args: A) => {
    const actions = script(...args);
    let step = actions.next();
    while (step.done !== true) {
      let value: unknown;
      try {
        value = await (step.value as Operation<unknown>);
      } catch (error) {
        step = actions.throw(error);
        continue;
      }
      step = actions.next(value);
    }
    return step.value;
  };
}

/** Lets the others run for some turns. */
export function* pause(turns = 1): Script {
  for (let i = 0; i < turns; i++) yield sleep(0);
}

/** What a scenario has at hand. */
export interface Stage {
  readonly spelling: Spelling;
  /** Starts a task that is cancelled in some of the runs. */
  actor(name: string, script: () => Script): Task<void>;
  /** Starts a task that no run cancels: it sees to it that the others can end. */
  helper(name: string, script: () => Script): Task<void>;
  /** A body in the spelling of the run, for `lock.with(…)` and its like. */
  body<A extends unknown[], T>(script: (...args: A) => Script<T>): Body<A, T>;
}

/** Starts its tasks and returns the check of what must hold when all have ended. */
export type Scenario = (stage: Stage) => () => void;

export interface Sweep {
  /** How many runs there were. */
  readonly runs: number;
  /** In how many of them the cancellation met a task that had not ended. */
  readonly cancelled: number;
  /** How many turns the undisturbed scenario takes, by spelling. */
  readonly turns: Readonly<Record<Spelling, number>>;
}

/** Who is cancelled, when, and at which place in the order of the turn. */
interface Plan {
  readonly spelling: Spelling;
  readonly victim: number;
  readonly turns: readonly number[];
  /** The canceller runs in each turn before those tasks that were started after so many others. */
  readonly seat: number;
}

/** A scenario that takes longer is stuck or was not meant for this. */
const MAX_TURNS = 500;

/**
 * Runs a scenario undisturbed, then once for each (spelling, victim, turn, place in the turn), cancelled once and cancelled in two
 * turns running.
 *
 * In every run all tasks must end, only the victim may end cancelled and must if the cancellation met it alive, nothing may
 * reach the exception handler or be reported, and the scenario's own check must pass.
 */
export async function cancelEverywhere(scenario: Scenario): Promise<Sweep> {
  const turns = { "yield*": 0, await: 0 };
  let runs = 0;
  let cancelled = 0;
  for (const spelling of SPELLINGS) {
    const undisturbed = await perform(scenario, { spelling, victim: -1, turns: [], seat: 0 });
    turns[spelling] = undisturbed.turns;
    runs++;
    for (let victim = 0; victim < undisturbed.tasks; victim++) {
      if (!undisturbed.victims.has(victim)) continue;
      for (let at = 0; at <= undisturbed.turns; at++) {
        for (let seat = 0; seat <= undisturbed.tasks; seat++) {
          for (const when of [[at], [at, at + 1]]) {
            const run = await perform(scenario, { spelling, victim, turns: when, seat });
            runs++;
            if (run.met) cancelled++;
          }
        }
      }
    }
  }
  return { runs, cancelled, turns };
}

interface Performance {
  readonly turns: number;
  readonly tasks: number;
  readonly victims: ReadonlySet<number>;
  readonly met: boolean;
}

async function perform(scenario: Scenario, plan: Plan): Promise<Performance> {
  const tasks: Task<void>[] = [];
  const victims = new Set<number>();
  let lasted = 0;
  let met = false;
  try {
    const { errors, reports } = await runVirtual(function* () {
      const loop = getRunningLoop();
      const first = turn(loop);
      const tick = (): void => {
        lasted = turn(loop) - first - 1;
        if (plan.turns.includes(lasted)) met = (tasks[plan.victim] as Task<void>).cancel() || met;
        const counting = plan.victim < 0 && tasks.some((task) => !task.done());
        if (lasted > MAX_TURNS) throw new Error(`takes more than ${MAX_TURNS} turns`);
        if (counting || plan.turns.some((each) => each > lasted)) loop.callSoon(tick);
      };
      const enter = (name: string, script: () => Script): Task<void> => {
        if (tasks.length === plan.seat) loop.callSoon(tick);
        const task = createTask(play(plan.spelling, script) as () => Coroutine<void>, { name });
        tasks.push(task);
        return task;
      };
      const check = scenario({
        spelling: plan.spelling,
        actor: (name, script) => {
          victims.add(tasks.length);
          return enter(name, script);
        },
        helper: enter,
        body: (script) => play(plan.spelling, script),
      });
      if (tasks.length === plan.seat) loop.callSoon(tick);

      for (const task of tasks) yield* task.join();

      tasks.forEach((task, index) => {
        if (task.cancelled()) {
          if (index !== plan.victim) throw new Error(`"${task.name}" ended cancelled, though nobody cancelled it`);
        } else {
          const error = task.exception();
          if (error !== null) throw error;
          if (index === plan.victim && met) throw new Error(`"${task.name}" swallowed its cancellation`);
        }
      });
      check();
    });
    if (errors.length > 0)
      throw new Error(`told the exception handler: ${errors[0]?.message}`, { cause: errors[0]?.exception });
    if (reports.length > 0) throw new Error(`reported: ${reports[0]}`);
  } catch (error) {
    const victim = plan.victim < 0 ? "nobody" : `"${tasks[plan.victim]?.name}"`;
    const when = plan.turns.length === 0 ? "" : ` at turn ${plan.turns.join(" and ")}, seat ${plan.seat}`;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`By ${plan.spelling}, cancelling ${victim}${when}: ${reason}`, { cause: error });
  }
  return { turns: lasted, tasks: tasks.length, victims, met };
}
