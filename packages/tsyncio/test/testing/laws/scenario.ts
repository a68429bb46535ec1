/** Plays a law: a scenario written once, run in many orders and with every task cancelled at every step, in both spellings. */

import { currentTask, sleep, type Task, type TaskGroup, taskGroup } from "tsyncio";
import { cancelEverywhere, explore, type TestBody, type TestContext } from "tsyncio/testing";
import { expect, test } from "vitest";
import { play, type Script, SPELLINGS, type Spelling } from "../../support/cancel-everywhere.ts";

export type { Script } from "../../support/cancel-everywhere.ts";

/** The part of the main task: it starts actors, and does what somebody must do that others rely on. */
export type Scenario = (stage: Stage) => Script<unknown>;

/** Orders to explore, and again as many, half of them with a cancellation; in each spelling. */
const RUNS = 100;
/** Cancellations in the second spelling, picked evenly among all steps; the first one takes them all. */
const SECOND = 30;
/** Virtual milliseconds after which the watch ends: whoever waits then is left to the deadlock check. */
const WATCHED = 40;

/**
 * Declares two tests, one for each spelling, in which a scenario keeps its law under other orders of what is ready, under those with
 * a cancellation, and with each task cancelled, once and twice, before each of its steps.
 *
 * In all of them, an actor must end cancelled if it was cancelled and only then, and a cancellation must reach nobody but whom it
 * was meant for (of the main one, all actors).
 */
export function law(title: string, scenario: Scenario): void {
  for (const spelling of SPELLINGS) {
    test(`${title}, in any order, cancelled anywhere (${spelling})`, async () => {
      const first = spelling === SPELLINGS[0];
      const anyOrder = bodyOf(spelling, scenario, false);
      await explore(anyOrder, { runs: RUNS, name: title, seed: first ? 1 : 3 });
      await explore(anyOrder, { runs: RUNS, name: title, seed: first ? 2 : 4, cancel: true });
      const runs = first ? undefined : SECOND;
      const sweep = await cancelEverywhere(bodyOf(spelling, scenario, true), { runs, twice: true, name: title });

      expect(sweep.complete || !first).toBe(true);
      expect(sweep.cancelled).toBeGreaterThan(20);
    });
  }
}

function bodyOf(spelling: Spelling, scenario: Scenario, inOrder: boolean): TestBody {
  return play(spelling, function* (t: TestContext): Script {
    const stage = new Stage(t, spelling, inOrder);
    yield taskGroup(
      stage.body(function* (group: TaskGroup): Script {
        stage.enter(group);
        yield* scenario(stage);
      }),
    );
  });
}

/** What a scenario has at hand. */
export class Stage {
  readonly t: TestContext;
  readonly spelling: Spelling;
  /** Whether whoever is ready first runs first, as in asyncio: some laws hold only then. */
  readonly inOrder: boolean;
  readonly actors: Task<unknown>[] = [];
  readonly #main = currentTask() as Task<unknown>;
  #group: TaskGroup | null = null;
  #steps = 0;

  constructor(t: TestContext, spelling: Spelling, inOrder: boolean) {
    this.t = t;
    this.spelling = spelling;
    this.inOrder = inOrder;
    t.invariant(() => {
      this.#steps++;
    });
    t.atEnd(() => this.#checkActors());
  }

  enter(group: TaskGroup): void {
    this.#group = group;
  }

  /** Starts a task of the scenario's: all end before the scenario does, and their errors are its own. */
  actor<T>(name: string, script: () => Script<T>): Task<T> {
    const task = (this.#group as TaskGroup).createTask(play(this.spelling, script) as () => never, { name }) as Task<T>;
    this.actors.push(task as Task<unknown>);
    return task;
  }

  /** A function that plays a script in the spelling of the run: a body, or a job that is not started yet. */
  body<A extends unknown[], T>(script: (...args: A) => Script<T>): (...args: A) => never {
    return play(this.spelling, script) as never;
  }

  /** A check that must hold after every step. */
  always(check: () => void): void {
    this.t.invariant(check);
  }

  /** A check for the time when all tasks have ended. */
  atEnd(check: () => void): void {
    this.t.atEnd(check);
  }

  /** Lets all actors run until they wait. A cancellation may come just then and make one of them run before us; so it looks twice. */
  *settle(): Script {
    let before: number;
    do {
      before = this.#steps;
      yield this.t.settle();
    } while (this.#steps > before + 1);
  }

  /** Checks, whenever all actors wait, until they have ended. So a wake-up that was lost shows, even if another makes up for it later. */
  *watch(check: () => void): Script {
    for (let i = 0; i < WATCHED && this.actors.some((actor) => !actor.done()); i++) {
      yield* this.settle();
      check();
      yield sleep(1);
    }
  }

  /** Whether nobody was cancelled in this run so far. */
  undisturbed(): boolean {
    return [this.#main, ...this.actors].every((task) => task.cancelling() === 0);
  }

  #checkActors(): void {
    const reached = this.actors.filter((task) => task.cancelling() > 0);
    for (const task of this.actors) {
      holds(task.done(), `${task.name} has ended`);
      holds(!task.cancelled() || task.cancelling() > 0, `${task.name} ended cancelled, so somebody cancelled it`);
    }
    const few = reached.length <= 1 || this.#main.cancelling() > 0;
    holds(few, `one actor at most was cancelled, but ${reached.map((task) => task.name)}`);
  }
}

/** Some work, with cleanup that waits. Counts what has begun and what was cleaned up. */
export class Work {
  begun = 0;
  ended = 0;
  cleaned = 0;

  constructor(stage: Stage) {
    stage.atEnd(() =>
      holds(this.cleaned === this.begun, `of ${this.begun} that began, all are cleaned up, not ${this.cleaned}`),
    );
  }

  /** Works for some milliseconds, then one turn for its cleanup. */
  *run<T>(duration: number, value: T): Script<T> {
    this.begun++;
    try {
      yield sleep(duration);
      this.ended++;
      return value;
    } finally {
      // A second cancellation may end this wait; what follows it must run all the same.
      try {
        yield sleep(0);
      } finally {
        this.cleaned++;
      }
    }
  }
}

/** Throws unless it holds. Much cheaper than `expect`, for what is looked at after every step or run. */
export function holds(condition: boolean, claim: string): void {
  if (!condition) throw new Error(`It does not hold: ${claim}`);
}

/** As {@link holds}, for lists. */
export function same(found: readonly unknown[], expected: readonly unknown[], what: string): void {
  const equal = found.length === expected.length && found.every((each, index) => each === expected[index]);
  if (!equal) throw new Error(`It does not hold: ${what} are ${expected.join(" ")}, but ${found.join(" ")}`);
}

/** The requests to cancel that the current task has open. */
export function requests(): number {
  return (currentTask() as Task<unknown>).cancelling();
}
