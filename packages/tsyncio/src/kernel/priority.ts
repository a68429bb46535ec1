/**
 * Priorities: who goes first among those that are ready, who goes first in a line that asks for it, and who is lifted by whom.
 *
 * Nothing here costs anything until a task is given a priority: then the loop's ready queue gets lanes, and this module watches the
 * steps of tasks through the probe, until the last such task is done.
 */

import { Deque } from "../base/deque.ts";
import { show } from "../base/errors.ts";
import { current } from "./current.ts";
import type { Runnable } from "./handle.ts";
import type { ReadyQueue } from "./host.ts";
import type { EventLoop } from "./loop.ts";
import { WOKEN } from "./operation.ts";
import { type Probe, setProbe } from "./probe.ts";
import type { Wait, WaitSource } from "./suspended.ts";
import { Task } from "./task.ts";

type AnyTask = Task<unknown>;

/** How often the one that has been ready for the longest is passed over before it goes, whatever its priority; and so in lines. */
export const PASSES = 16;

/** One that stands in a line: an operation that waits. */
export interface Ranked {
  /** @internal */
  readonly _stage: number;
  /** @internal */
  readonly _waiting: unknown;
  /** @internal */
  readonly _next: Ranked | null;
  cancelled(): boolean;
}

/** Who is woken next in a line. */
export interface LineOrder {
  /** The one that goes next, of those that sleep; null when nobody does. */
  peek<W extends Ranked>(first: W | null): W | null;
  /** As `peek`, for one that goes now: those that came earlier have been passed over once more. */
  pick<W extends Ranked>(first: W | null): W | null;
  /** The one that can be spared most: the first of those with the lowest priority, if that is below `than`; else null. */
  lowest<W extends Ranked>(first: W | null, than: number): W | null;
  /** Whether somebody has been woken and has not run yet. */
  anyWoken(first: Ranked | null): boolean;
}

/** What the kernel asks of priorities; it is there once something that uses them is loaded. */
export interface PriorityTools extends LineOrder {
  of(task: AnyTask): number;
  /** The one that counts: its own, or the highest of those that wait for it. */
  rankOf(task: AnyTask): number;
  set(task: AnyTask, priority: number): void;
}

/** What a task lifts while it waits. */
interface Lift {
  readonly sources: readonly WaitSource[];
  readonly holders: readonly AnyTask[];
}

class Priorities implements PriorityTools, Probe {
  /** What tasks were given: those that are not done, and were given another one than 0. */
  readonly #own = new Map<AnyTask, number>();
  /** What counts, where that is not 0: its own, or that of one that waits for it. */
  readonly #ranks = new Map<AnyTask, number>();
  readonly #lifts = new Map<AnyTask, Lift>();
  /** Who lifts a task. */
  readonly #liftedBy = new Map<AnyTask, Set<AnyTask>>();
  readonly #waitersOf = new Map<WaitSource, Set<AnyTask>>();
  readonly #loops = new Set<EventLoop>();
  /** How often a waiter was passed over in its line. */
  readonly #passes = new WeakMap<Ranked, number>();
  /** No task in use has less; who has no more than that lifts nobody. */
  #least = 0;
  #watching = false;
  #previous: Probe | null = null;

  of(task: AnyTask): number {
    return this.#own.get(task._self()) ?? 0;
  }

  set(given: AnyTask, priority: number): void {
    if (typeof priority !== "number" || !Number.isFinite(priority)) {
      const Class = typeof priority === "number" ? RangeError : TypeError;
      throw new Class(`Expected \`priority\` to be a finite number, higher ones first, got ${show(priority)}`);
    }
    const task = given._self();
    if (task.done()) return;
    if (priority === 0) this.#own.delete(task);
    else {
      this.#watch(task._loop);
      this.#own.set(task, priority);
      this.#least = Math.min(this.#least, priority);
    }
    this.#settle([task]);
    if (this.#own.size === 0) this.#rest();
  }

  rankOf(task: AnyTask): number {
    return this.#ranks.get(task._self()) ?? 0;
  }

  peek<W extends Ranked>(first: W | null): W | null {
    let best: W | null = null;
    for (let each = first; each !== null; each = each._next as W | null) {
      if (!sleeps(each)) continue;
      if ((this.#passes.get(each) ?? 0) >= PASSES) return each;
      if (best === null || rankOfEntry(each) > rankOfEntry(best)) best = each;
    }
    return best;
  }

  pick<W extends Ranked>(first: W | null): W | null {
    const best = this.peek(first);
    for (let each = first; each !== best && each !== null; each = each._next as W | null) {
      if (sleeps(each)) this.#passes.set(each, (this.#passes.get(each) ?? 0) + 1);
    }
    return best;
  }

  lowest<W extends Ranked>(first: W | null, than: number): W | null {
    let lowest: W | null = null;
    for (let each = first; each !== null; each = each._next as W | null) {
      if (sleeps(each) && rankOfEntry(each) < (lowest === null ? than : rankOfEntry(lowest))) lowest = each;
    }
    return lowest;
  }

  anyWoken(first: Ranked | null): boolean {
    for (let each = first; each !== null; each = each._next) if (each._stage === WOKEN) return true;
    return false;
  }

  // ── Lifting ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Works out anew what counts for these tasks and, where that changes, for those that they wait for. */
  #settle(tasks: AnyTask[]): void {
    // A list, not a recursion: a chain of tasks that wait for each other may be longer than the stack.
    for (let task = tasks.pop(); task !== undefined; task = tasks.pop()) {
      let rank = this.#own.get(task) ?? 0;
      for (const waiter of this.#liftedBy.get(task) ?? []) rank = Math.max(rank, this.rankOf(waiter));
      if (rank === this.rankOf(task)) continue;
      if (rank === 0) this.#ranks.delete(task);
      else this.#ranks.set(task, rank);
      task._loop._ready.move?.(task);
      tasks.push(...this.#lift(task));
    }
  }

  /** Lifts those that a task waits for, and no others; returns all that are concerned. */
  #lift(task: AnyTask): AnyTask[] {
    const before = this.#lifts.get(task);
    const sources = task.done() || this.rankOf(task) <= this.#least ? [] : task._waits();
    const holders = sources
      .flatMap((source) => [...(source.holders?.() ?? [])])
      .filter((each) => each !== task && !each.done());
    if (before === undefined && sources.length === 0) return [];
    for (const each of before?.holders ?? []) remove(this.#liftedBy, each, task);
    for (const each of before?.sources ?? []) remove(this.#waitersOf, each, task);
    this.#lifts.delete(task);
    if (sources.length > 0) {
      this.#lifts.set(task, { sources, holders });
      for (const each of holders) add(this.#liftedBy, each, task);
      for (const each of sources) add(this.#waitersOf, each, task);
    }
    return [...(before?.holders ?? []), ...holders];
  }

  // ── The probe ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** From now on this loop has lanes, and steps are watched. */
  #watch(loop: EventLoop): void {
    if (!this.#watching) {
      this.#watching = true;
      this.#previous = setProbe(this);
    }
    if (this.#loops.has(loop)) return;
    for (const each of this.#loops) if (each.isClosed()) this.#loops.delete(each);
    this.#loops.add(loop);
    const ready = loop._ready;
    if (ready.rankBy !== undefined) ready.rankBy(rankOfEntry);
    else loop._ready = moved(ready, new Lanes());
  }

  /** No task has a priority any more. */
  #rest(): void {
    for (const loop of this.#loops) {
      const ready = loop._ready;
      if (ready.rankBy !== undefined) ready.rankBy(null);
      else if (ready instanceof Lanes) loop._ready = moved(ready, new Deque<Runnable>());
    }
    this.#loops.clear();
    this.#ranks.clear();
    this.#lifts.clear();
    this.#liftedBy.clear();
    this.#waitersOf.clear();
    this.#least = 0;
    // Somebody may have put another probe on top of this one.
    if (current.probe !== this) return;
    setProbe(this.#previous);
    this.#watching = false;
  }

  created(task: AnyTask): void {
    this.#previous?.created(task);
  }

  stepping(task: AnyTask): void {
    this.#previous?.stepping(task);
  }

  stepped(task: AnyTask): void {
    this.#previous?.stepped(task);
    if (this.#lifts.has(task) || this.rankOf(task) > this.#least) this.#settle(this.#lift(task));
  }

  waits(task: AnyTask, what: Wait | null): void {
    this.#previous?.waits(task, what);
  }

  cancelled(task: AnyTask): void {
    this.#previous?.cancelled(task);
  }

  finished(task: AnyTask): void {
    this.#previous?.finished(task);
    // What it lifted is let down at the end of its last step.
    this.#ranks.delete(task);
    this.#liftedBy.delete(task);
    if (this.#own.delete(task) && this.#own.size === 0) this.#rest();
  }

  bound(primitive: object, loop: EventLoop): void {
    this.#previous?.bound(primitive, loop);
  }

  held(source: WaitSource): void {
    this.#previous?.held(source);
    for (const task of [...(this.#waitersOf.get(source) ?? [])]) this.#settle(this.#lift(task));
  }
}

function sleeps(waiter: Ranked): boolean {
  return waiter._stage !== WOKEN && !waiter.cancelled();
}

/** The task that an operation wakes, if it waits. */
function waitingTask(operation: Ranked): AnyTask | null {
  // A task, what stands in its place in a race, or the error of a wait that was cancelled.
  const waiting = operation._waiting as { _self?(): AnyTask | null } | null | undefined;
  return waiting?._self?.() ?? null;
}

/** What counts for an entry of the ready queue or of a line: what counts for the task that it runs or wakes. */
function rankOfEntry(entry: object): number {
  const task = entry instanceof Task ? entry : waitingTask(entry as Ranked);
  return task === null ? 0 : priorities.rankOf(task);
}

function add<K>(map: Map<K, Set<AnyTask>>, key: K, task: AnyTask): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([task]));
  else set.add(task);
}

function remove<K>(map: Map<K, Set<AnyTask>>, key: K, task: AnyTask): void {
  const set = map.get(key);
  set?.delete(task);
  if (set?.size === 0) map.delete(key);
}

/** Where an entry stands in the ready queue. */
interface Place {
  readonly entry: Runnable;
  rank: number;
  hasRun: boolean;
}

interface Lane {
  readonly rank: number;
  /** In order of arrival. Who has run, or has gone to another lane, is skipped. */
  readonly places: Deque<Place>;
}

/**
 * A ready queue with a lane for each priority that is in use.
 *
 * The highest lane goes first, but not for ever: the entry that has been ready for the longest is passed over PASSES times at most.
 * So one that finds n others ready runs after at most (n + 1)·(PASSES + 1) steps, whatever goes on in higher lanes.
 */
export class Lanes implements ReadyQueue {
  // INVARIANT  each place that has not run is in `#arrivals` and in the lane of its rank.
  readonly #arrivals = new Deque<Place>();
  /** Highest first. */
  readonly #lanes: Lane[] = [];
  readonly #places = new Map<Runnable, Place>();
  #length = 0;
  #passes = 0;

  get length(): number {
    return this.#length;
  }

  push(entry: Runnable): void {
    const place = { entry, rank: rankOfEntry(entry), hasRun: false };
    this.#length++;
    this.#arrivals.push(place);
    this.#laneOf(place.rank).push(place);
    if (entry instanceof Task) this.#places.set(entry, place);
  }

  shift(): Runnable | undefined {
    const oldest = this.#oldest();
    if (oldest === undefined) return undefined;
    let place = this.#highest();
    if (place !== oldest && ++this.#passes > PASSES) place = oldest;
    if (place === oldest) this.#passes = 0;
    place.hasRun = true;
    this.#places.delete(place.entry);
    this.#length--;
    return place.entry;
  }

  /** What counts for a task has changed. */
  move(task: AnyTask): void {
    const place = this.#places.get(task);
    if (place === undefined) return;
    place.rank = rankOfEntry(task);
    this.#laneOf(place.rank).push(place);
  }

  #laneOf(rank: number): Deque<Place> {
    let index = 0;
    for (; index < this.#lanes.length; index++) {
      const lane = this.#lanes[index] as Lane;
      if (lane.rank === rank) return lane.places;
      if (lane.rank < rank) break;
    }
    const places = new Deque<Place>();
    this.#lanes.splice(index, 0, { rank, places });
    return places;
  }

  #oldest(): Place | undefined {
    while (this.#arrivals.first?.hasRun === true) this.#arrivals.shift();
    return this.#arrivals.first;
  }

  /** Called while something is ready. */
  #highest(): Place {
    for (;;) {
      const { rank, places } = this.#lanes[0] as Lane;
      const place = places.first;
      if (place === undefined) this.#lanes.shift();
      else if (place.hasRun || place.rank !== rank) places.shift();
      else return place;
    }
  }
}

/** Moves what is ready to another queue. */
export function moved(from: ReadyQueue, to: ReadyQueue): ReadyQueue {
  for (let entry = from.shift(); entry !== undefined; entry = from.shift()) to.push(entry);
  return to;
}

// Loading this module has an effect (`sideEffects` in package.json): the kernel finds priorities in its slot.
const priorities = new Priorities();
current.priorities = priorities;
