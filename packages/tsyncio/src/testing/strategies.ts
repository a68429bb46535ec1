/** Who goes next: the ways in which `explore` picks among the entries that are ready. */

import type { Runnable } from "../kernel/handle.ts";
import { Task } from "../kernel/task.ts";
import type { Random } from "./random.ts";

/** Decides for one run. */
export interface Chooser {
  /**
   * Picks one of `count` possibilities, by index. 0 is what happens without exploration: the entry that has been ready longest.
   *
   * `entries` are what is ready, of which the first `count` may go; null for a choice that the scenario itself asks for.
   */
  choose(count: number, entries: readonly Runnable[] | null): number;
}

/** Follows the deviations from first come, first served that it is given, by the number of the decision. */
export class Prescribed implements Chooser {
  readonly #deviations: ReadonlyMap<number, number>;
  #decision = 0;

  constructor(deviations: ReadonlyMap<number, number> = new Map()) {
    this.#deviations = deviations;
  }

  choose(count: number): number {
    const choice = this.#deviations.get(this.#decision++) ?? 0;
    return Math.min(choice, count - 1);
  }
}

/** Last come, first served: the furthest from what happens without exploration. */
export class LastFirst implements Chooser {
  choose(count: number): number {
    return count - 1;
  }
}

/** Any of them, with equal chances. */
export class RandomWalk implements Chooser {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  choose(count: number): number {
    return this.#random.below(count);
  }
}

/**
 * Probabilistic concurrency testing (Burckhardt et al., 2010): tasks get random priorities, the highest runs, and at
 * `depth - 1` random decisions the one that would run falls to the lowest.
 *
 * A bug that needs `depth` ordering constraints is met with a chance of at least 1 / (tasks × decisions^(depth - 1)) in every run.
 * So it finds what a random walk hardly does: somebody who is kept waiting for long.
 */
export class Pct implements Chooser {
  readonly #random: Random;
  readonly #changes = new Set<number>();
  readonly #priorities = new Map<object, number>();
  #decision = 0;
  #lowest = 0;

  /** @param length - About how many decisions a run has. */
  constructor(random: Random, depth: number, length: number) {
    this.#random = random;
    for (let i = 1; i < depth; i++) this.#changes.add(random.below(Math.max(1, length)));
  }

  choose(count: number, entries: readonly Runnable[] | null): number {
    if (entries === null) return this.#random.below(count);
    let best = this.#best(count, entries);
    if (this.#changes.has(this.#decision++)) {
      this.#priorities.set(who(entries[best] as Runnable), --this.#lowest);
      best = this.#best(count, entries);
    }
    return best;
  }

  #best(count: number, entries: readonly Runnable[]): number {
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const priority = this.#priorityOf(who(entries[i] as Runnable));
      if (priority <= highest) continue;
      highest = priority;
      best = i;
    }
    return best;
  }

  #priorityOf(one: object): number {
    let priority = this.#priorities.get(one);
    if (priority === undefined) {
      priority = this.#random.next();
      this.#priorities.set(one, priority);
    }
    return priority;
  }
}

/** Whose entry it is: what an async function awaits runs on behalf of its task. */
function who(entry: Runnable): object {
  return entry instanceof Task ? entry._self() : entry;
}
