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

/** A wait for the first of several things, as that of a race: each of them lifts by itself. */
export interface WaitForAny extends WaitSource {
  /** @internal */
  _parts?(): WaitSource[];
}

/**
 * Something that tasks wait for, and those that it lifts for their sake.
 *
 * PERF  one for all that wait: were each of them to lift the holders by itself, a lock that goes through a line of n would take n³.
 */
interface Lift {
  readonly source: WaitSource;
  /** How many wait, for each priority that they have. */
  readonly waiters: Map<number, number>;
  /** The highest of these. */
  rank: number;
  holders: readonly AnyTask[];
}

/** Where a task waits, and the priority that it was counted with there. */
interface BlockedOn {
  readonly lifts: readonly Lift[];
  readonly rank: number;
}

class Priorities implements PriorityTools, Probe {
  /** What tasks were given: those that are not done, and were given another one than 0. */
  readonly #own = new Map<AnyTask, number>();
  /** What counts, where that is not 0: its own, or that of one that waits for it. */
  readonly #ranks = new Map<AnyTask, number>();
  readonly #blockedOn = new Map<AnyTask, BlockedOn>();
  readonly #lifts = new Map<WaitSource, Lift>();
  readonly #liftedBy = new Map<AnyTask, Set<Lift>>();
  readonly #loops = new Set<EventLoop>();
  /** How often a waiter was passed over in its line. */
  readonly #passes = new WeakMap<Ranked, number>();
  /** Loops with tasks below 0, which those with 0 lift; elsewhere these lift nobody. True: all that wait there are counted. */
  #lowered = new WeakMap<EventLoop, boolean>();
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
      if (priority < 0) this.#lower(task);
    }
    this.#settle([task]);
    if (this.#own.size === 0) this.#rest();
  }

  rankOf(task: AnyTask): number {
    return this.#ranks.get(task._self()) ?? 0;
  }

  peek<W extends Ranked>(first: W | null): W | null {
    let best: W | null = null;
    let highest = Number.NEGATIVE_INFINITY;
    for (let each = first; each !== null; each = each._next as W | null) {
      if (!sleeps(each)) continue;
      if ((this.#passes.get(each) ?? 0) >= PASSES) return each;
      const rank = rankOfEntry(each);
      if (rank <= highest) continue;
      best = each;
      highest = rank;
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
      for (const lift of this.#liftedBy.get(task) ?? []) rank = Math.max(rank, this.#rankOfOthers(lift, task));
      if (rank === this.rankOf(task)) continue;
      if (rank === 0) this.#ranks.delete(task);
      else this.#ranks.set(task, rank);
      task._loop._ready.move?.(task);
      tasks.push(...this.#lift(task));
    }
  }

  /** The highest priority of those that wait there, but for one who may be among them: nobody lifts itself. */
  #rankOfOthers(lift: Lift, task: AnyTask): number {
    const blockedOn = this.#blockedOn.get(task);
    if (blockedOn?.rank !== lift.rank) return lift.rank;
    const own = blockedOn.lifts.filter((each) => each === lift).length;
    return own === lift.waiters.get(lift.rank) ? highestOf(lift.waiters, lift.rank) : lift.rank;
  }

  /** Notes anew what a task waits for; returns all whose priority that may change. */
  #lift(task: AnyTask): AnyTask[] {
    const before = this.#blockedOn.get(task);
    const rank = this.rankOf(task);
    const counts = !task.done() && (rank > 0 || this.#lowered.has(task._loop));
    const lifts = counts ? sourcesOf(task).map((source) => this.#join(source, rank)) : [];
    if (before === undefined && lifts.length === 0) return [];
    for (const lift of before?.lifts ?? []) leave(lift, before?.rank as number);
    if (lifts.length > 0) this.#blockedOn.set(task, { lifts, rank });
    else this.#blockedOn.delete(task);
    return [...new Set([...(before?.lifts ?? []), ...lifts])].flatMap((lift) => this.#refresh(lift));
  }

  #join(source: WaitSource, rank: number): Lift {
    const lift: Lift = this.#lifts.get(source) ?? { source, waiters: new Map(), rank, holders: [] };
    this.#lifts.set(source, lift);
    lift.waiters.set(rank, (lift.waiters.get(rank) ?? 0) + 1);
    lift.rank = Math.max(lift.rank, rank);
    return lift;
  }

  /** Others may hold it now, or nobody may wait for it any more; returns those that it lifts, and that it lifted. */
  #refresh(lift: Lift): AnyTask[] {
    const before = lift.holders;
    const inUse = lift.waiters.size > 0;
    if (!inUse) this.#lifts.delete(lift.source);
    lift.holders = inUse ? holdersOf(lift.source) : [];
    for (const each of before) {
      const lifts = this.#liftedBy.get(each);
      lifts?.delete(lift);
      if (lifts?.size === 0) this.#liftedBy.delete(each);
    }
    for (const each of lift.holders) {
      const lifts = this.#liftedBy.get(each);
      if (lifts === undefined) this.#liftedBy.set(each, new Set([lift]));
      else lifts.add(lift);
    }
    return [...before, ...lift.holders];
  }

  /** A task is below 0: from now on, those with 0 lift others, too. */
  #lower(task: AnyTask): void {
    const loop = task._loop;
    if (this.#lowered.get(loop) === true) return;
    // PERF  nobody waits for what is just being made, so that those who wait need not be looked through.
    const isNew = task._previous === null && loop._tasks.first !== task;
    this.#lowered.set(loop, !isNew);
    if (!isNew) for (const each of loop._tasks) this.#settle(this.#lift(each._self()));
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
    this.#blockedOn.clear();
    this.#lifts.clear();
    this.#liftedBy.clear();
    this.#lowered = new WeakMap();
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
    this.#settle(this.#lift(task));
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
    const lift = this.#lifts.get(source);
    if (lift !== undefined) this.#settle(this.#refresh(lift));
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

/** What a task waits for, as far as somebody may hold it. */
function sourcesOf(task: AnyTask): WaitSource[] {
  return task
    ._waits()
    .flatMap((source: WaitForAny) => source._parts?.() ?? source)
    .filter((source) => source.holders !== undefined);
}

/** The tasks that must act; a future that is told instead, such as a gather() in a gather(), may know those. */
function holdersOf(source: WaitSource): AnyTask[] {
  const found = new Set<AnyTask>();
  const sources = [source];
  for (const each of sources) {
    for (const holder of (each.holders?.() ?? []) as Iterable<WaitSource>) {
      if (!(holder instanceof Task)) sources.push(holder);
      else if (!holder.done()) found.add(holder);
    }
  }
  return [...found];
}

/** One that waited does so no more, or is counted anew. */
function leave(lift: Lift, rank: number): void {
  const { waiters } = lift;
  const count = waiters.get(rank) as number;
  if (count > 1) waiters.set(rank, count - 1);
  else {
    waiters.delete(rank);
    if (rank === lift.rank) lift.rank = highestOf(waiters);
  }
}

/** The highest of those priorities. */
function highestOf(waiters: Map<number, number>, except?: number): number {
  let found = Number.NEGATIVE_INFINITY;
  for (const rank of waiters.keys()) if (rank > found && rank !== except) found = rank;
  return found;
}

/** Where an entry stands in the ready queue. */
interface Place {
  readonly entry: Runnable;
  /** The task that runs, or that waits by itself for this timer. */
  readonly owner: unknown;
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
  readonly #places = new Map<unknown, Place>();
  #length = 0;
  #passes = 0;

  get length(): number {
    return this.#length;
  }

  push(entry: Runnable): void {
    const owner = entry instanceof Task ? entry : (entry as Partial<Ranked>)._waiting;
    const place = { entry, owner, rank: rankOfEntry(entry), hasRun: false };
    this.#length++;
    this.#arrivals.push(place);
    this.#laneOf(place.rank).push(place);
    if (owner instanceof Task) this.#places.set(owner, place);
  }

  shift(): Runnable | undefined {
    const oldest = this.#oldest();
    if (oldest === undefined) return undefined;
    let place = this.#highest();
    if (place !== oldest && ++this.#passes > PASSES) place = oldest;
    if (place === oldest) this.#passes = 0;
    place.hasRun = true;
    // A timer whose task was cancelled meanwhile: that has a place of its own.
    if (this.#places.get(place.owner) === place) this.#places.delete(place.owner);
    this.#length--;
    return place.entry;
  }

  /** What counts for a task has changed. */
  move(task: AnyTask): void {
    const place = this.#places.get(task);
    if (place !== undefined) {
      place.rank = rankOfEntry(task);
      this.#laneOf(place.rank).push(place);
    }
    // What an async function awaits runs in its place.
    for (const each of task._inner()) this.move(each);
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
