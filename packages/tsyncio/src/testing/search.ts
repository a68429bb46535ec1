/** Which schedules `explore` tries, and in which order. */

import type { Random } from "./random.ts";
import type { Outcome } from "./simulate.ts";
import { type Chooser, LastFirst, Pct, Prescribed, RandomWalk } from "./strategies.ts";

/**
 * - `portfolio` all of the others, in turns
 * - `random` any entry that is ready, with equal chances
 * - `pct`, `pct:3` random priorities, which change at some points (2, 3 and 5 in turns, or so many), see {@link Pct}
 * - `exhaustive` all schedules, those nearest to first come, first served first
 */
export type Strategy = "portfolio" | "random" | "pct" | `pct:${number}` | "exhaustive";

/** A source of choosers, one for each run. */
export interface Search {
  /** What decides in the next run; null when there is nothing left to try. */
  next(): Chooser | null;
  /** Told what came of the run. */
  learn(outcome: Outcome): void;
  /** Whether all schedules have been tried. */
  readonly complete: boolean;
  /** The name of the strategy that made the last chooser. */
  readonly name: string;
}

/** @throws {RangeError} for a strategy of an unknown name. */
export function makeSearch(strategy: Strategy, random: Random): Search {
  if (strategy === "portfolio") return new Portfolio(random);
  if (strategy === "random") return new RandomSearch(random);
  if (strategy === "exhaustive") return new Exhaustive();
  const depth = /^pct(?::([1-9]\d?))?$/.exec(strategy);
  if (depth !== null) return new PctSearch(random, depth[1] === undefined ? DEPTHS : [Number(depth[1])]);
  throw new RangeError(
    `Expected \`strategy\` to be "portfolio", "random", "pct", "pct:3" or "exhaustive", got ${JSON.stringify(strategy)}`,
  );
}

const DEPTHS = [2, 3, 5];
/** Schedules that wait to be tried; more are forgotten, and the search is not complete then. */
const MAX_PENDING = 200_000;

class RandomSearch implements Search {
  readonly complete = false;
  readonly name = "random";
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): Chooser {
    return new RandomWalk(this.#random);
  }

  learn(): void {}
}

class PctSearch implements Search {
  readonly complete = false;
  name = "pct";
  readonly #random: Random;
  readonly #depths: readonly number[];
  #runs = 0;
  #length = 10;

  constructor(random: Random, depths: readonly number[]) {
    this.#random = random;
    this.#depths = depths;
  }

  next(): Chooser {
    const depth = this.#depths[this.#runs++ % this.#depths.length] as number;
    this.name = `pct:${depth}`;
    return new Pct(this.#random, depth, this.#length);
  }

  /** Where the changes may lie is learnt from how long the runs are. */
  learn(outcome: Outcome): void {
    this.#length = Math.max(this.#length, outcome.choices.length);
  }
}

/** A deviation, behind those of the schedule that it was found in. */
interface Node {
  readonly parent: Node | null;
  readonly decision: number;
  readonly choice: number;
}

/**
 * Tries all schedules, by how many decisions differ from first come, first served: none, one, two, …
 *
 * A schedule is known by its deviations. Each run tells how many entries were ready at each decision behind its last deviation,
 * which gives all schedules with one deviation more; so each is tried once.
 */
export class Exhaustive implements Search {
  readonly name = "exhaustive";
  /** How many deviations the last schedule had. */
  depth = 0;
  #pending: (Node | null)[] = [null];
  #taken = 0;
  #current: Node | null = null;
  #forgotten = false;

  get complete(): boolean {
    return this.#taken === this.#pending.length && !this.#forgotten;
  }

  next(): Chooser | null {
    if (this.#taken === this.#pending.length) return null;
    this.#current = this.#pending[this.#taken++] as Node | null;
    if (this.#taken > 10_000) {
      this.#pending = this.#pending.slice(this.#taken);
      this.#taken = 0;
    }
    const deviations = new Map<number, number>();
    for (let node = this.#current; node !== null; node = node.parent) deviations.set(node.decision, node.choice);
    this.depth = deviations.size;
    return new Prescribed(deviations);
  }

  learn({ counts }: Outcome): void {
    const first = this.#current === null ? 0 : this.#current.decision + 1;
    for (let decision = first; decision < counts.length; decision++) {
      for (let choice = 1; choice < (counts[decision] as number); choice++) {
        if (this.#pending.length - this.#taken >= MAX_PENDING) {
          this.#forgotten = true;
          return;
        }
        this.#pending.push({ parent: this.#current, decision, choice });
      }
    }
  }
}

/** First what happens anyway and its opposite; then two fifths random, two fifths PCT, one fifth near to what happens anyway. */
class Portfolio implements Search {
  readonly #exhaustive = new Exhaustive();
  readonly #random: Search;
  readonly #pct: Search;
  readonly #order: readonly Search[];
  #last: Search = this.#exhaustive;
  #runs = 0;
  name = "";

  constructor(random: Random) {
    this.#random = new RandomSearch(random);
    this.#pct = new PctSearch(random, DEPTHS);
    this.#order = [this.#exhaustive, this.#random, this.#pct, this.#random, this.#pct];
  }

  get complete(): boolean {
    return this.#exhaustive.complete;
  }

  next(): Chooser | null {
    const run = this.#runs++;
    if (run === 1) {
      this.#last = this.#random;
      this.name = "last first";
      return new LastFirst();
    }
    this.#last = this.#order[(run < 2 ? run : run - 1) % this.#order.length] as Search;
    let chooser = this.#last.next();
    // All orders have been seen. Whoever asks for more has cancellations to try with them.
    if (chooser === null) {
      this.#last = this.#random;
      chooser = this.#random.next();
    }
    this.name = run === 0 ? "first come, first served" : this.#last.name;
    return chooser;
  }

  learn(outcome: Outcome): void {
    this.#last.learn(outcome);
    if (this.#last !== this.#pct) this.#pct.learn(outcome);
  }
}
