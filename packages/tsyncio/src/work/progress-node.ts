/** What is known of one task's progress: what it reports, what counts by itself in it, and its children. */

import type { Linked } from "../base/linked-list.ts";
import { CANCELLED, FAILED } from "../kernel/future.ts";
import type { Countable, ItemCount, Progress, ProgressPlace } from "../kernel/progress.ts";
import type { Task } from "../kernel/task.ts";
import { Members } from "./progress-members.ts";
import { Rate, timeToGo } from "./progress-rate.ts";
import { fractionOf, type Numbers, plus, Sum } from "./progress-sum.ts";

/** What a task, or a `track` in it, says of itself. */
export class Account {
  /** Null until numbers are given. It counts from the first ones on: what was done before that took its time elsewhere. */
  rate: Rate | null = null;
  done = 0;
  total: number | undefined = undefined;
  unit: string | undefined = undefined;
  message: string | undefined = undefined;
  readonly startedAt: number;

  constructor(startedAt: number) {
    this.startedAt = startedAt;
  }

  count(done: number, now: number): void {
    // Less than before: it begins anew.
    if (this.rate === null || done < this.done) this.rate = new Rate(now, done);
    else this.rate.look(now, done);
    this.done = done;
  }
}

/** Numbers, and what they count. */
interface Measured extends Numbers {
  /** With the parts of what is under way. */
  readonly effective: number;
  readonly by: Account | string;
}

/** So many open counts may stand in a node before it is looked which are over. */
const MANY = 8;

/** The number of the last change that was seen of any node. */
let changes = 0;

/**
 * STATE  fresh (`parent` is undefined) ──resolved──▶ in the tree ──the task ends──▶ ended; or from fresh to ended
 *
 * Numbers are stored where they come up, and put together when somebody looks.
 */
export class ProgressNode implements Linked<ProgressNode> {
  readonly task: Task<unknown>;
  /** What it counts for; null: nothing; undefined: nobody has asked yet. */
  parent: ProgressNode | null | undefined = undefined;
  /** The `id` of its parent's task. */
  parentId = 0;
  /** Those under way. */
  children: Set<ProgressNode> | null = null;
  /** What the task reports; its outermost `track` writes it, too. */
  own: Account | null = null;
  /** The `track`s that are under way, outermost first. */
  tracks: Account[] | null = null;
  /** For those that open counts in it later. */
  place: (ProgressPlace & { node: ProgressNode | null }) | null = null;
  startedAt: number;
  endedAt: number | undefined = undefined;
  /** Grows when what is to be seen changes, here or below; rates and times do not count. */
  change = 0;
  _previous: ProgressNode | null = null;
  _next: ProgressNode | null = null;
  // What is over is added up, since a task may run for ever.
  #counts: Countable[] = [];
  #many = MANY;
  /** Children that have ended. */
  #ended: Sum | null = null;
  #jobs = 0;
  #items: { done: number; total: number | undefined } | null = null;
  /** Of what the library counts by itself. */
  #rate: { readonly by: Account | string; readonly rate: Rate } | null = null;
  #seen: Progress | undefined = undefined;
  /** Its end was not looked at yet. */
  #unseen = false;

  constructor(task: Task<unknown>) {
    this.task = task;
    this.startedAt = task._loop.time();
  }

  /** Something begins that counts by itself. */
  open(count: Countable): void {
    if (this.#counts.length >= this.#many) {
      this.#sweep();
      this.#many = Math.max(MANY, 2 * this.#counts.length);
    }
    this.#counts.push(count);
  }

  /** Whether a group of this task has made that one. */
  hasMade(task: Task<unknown>): boolean {
    return this.#counts.some((each) => each instanceof Members && each.has(task));
  }

  /** The picture that was taken last, or the one of its end; undefined when there was nothing to tell. */
  get seen(): Progress | undefined {
    if (this.#unseen) {
      // PERF  most tasks end without anybody who looks.
      this.#unseen = false;
      this.#seen = this.#picture(this.#measure([]), []);
      this.#counts = [];
      this.#rate = this.#ended = this.own = null;
    }
    return this.#seen;
  }

  /** Takes the picture of now. Those of the children were taken before. */
  look(): void {
    if (this.endedAt !== undefined) return;
    this.#sweep();
    const children: Progress[] = [];
    let { change } = this;
    for (const each of this.children ?? []) {
      if (each.seen !== undefined) children.push(each.seen);
      change = Math.max(change, each.change);
    }
    const picture = this.#picture(this.#measure(children), children);
    this.change = isSame(picture, this.#seen) ? change : ++changes;
    this.#seen = picture;
  }

  /** The task has ended: says what it has come to, for its parent. */
  end(): Numbers | undefined {
    this.endedAt = this.task._loop.time();
    this.#unseen = true;
    this.change = ++changes;
    // Children that go on count for others from now on.
    this.children = this.tracks = null;
    if (this.parent === null) return undefined;
    const numbers = this.#measure([]);
    if (numbers === undefined) return undefined;
    // What is not done by now never will be: it remains as what was missed, unless the task thinks that all is well.
    const { done, total = done } = numbers;
    return stateOf(this.task) === "finished"
      ? { ...numbers, total: done, fraction: 1 }
      : { ...numbers, total: Math.max(done, total) };
  }

  addEnded(numbers: Numbers): void {
    this.#ended ??= new Sum();
    this.#ended.add(numbers, true);
  }

  #picture(measured: Measured | undefined, children: readonly Progress[]): Progress | undefined {
    const { task, own } = this;
    if (measured === undefined && own === null && children.length === 0) return undefined;
    const now = this.endedAt ?? task._loop.time();
    const inner = this.#inner().map((each) => this.#pictureOfTrack(each, now));
    return {
      id: task.id,
      name: task.name,
      parentId: this.parentId,
      state: stateOf(task),
      done: measured?.done ?? 0,
      total: measured?.total,
      unit: measured?.unit ?? own?.unit,
      message: own?.message,
      fraction: measured?.fraction,
      ...(measured === undefined ? UNKNOWN : this.#speed(measured, now)),
      startedAt: this.startedAt,
      elapsed: now - this.startedAt,
      children: [...inner, ...children],
    };
  }

  #speed({ by, effective, total }: Measured, now: number): Speed {
    const rate = this.#rateOf(by, effective, now);
    // The parts of units under way do not count in what the task itself has counted.
    const done = by instanceof Account ? by.done : effective;
    rate.look(now, done);
    return this.endedAt === undefined
      ? speedOf(rate, now, effective, total)
      : { rate: rate.average(now, done), eta: undefined };
  }

  #rateOf(by: Account | string, effective: number, now: number): Rate {
    if (by instanceof Account && by.rate !== null) return by.rate;
    if (this.#rate?.by !== by) {
      // It was counted from the beginning; unless it was found only now, or something else was counted before.
      const early = this.#rate === null && now > this.startedAt;
      this.#rate = { by, rate: early ? new Rate(this.startedAt, 0) : new Rate(now, effective) };
    }
    return this.#rate.rate;
  }

  /** The `track`s inside of another one. */
  #inner(): Account[] {
    return this.tracks?.filter((each) => each !== this.own) ?? [];
  }

  #pictureOfTrack(track: Account, now: number): Progress {
    const { done, total, unit, message, startedAt } = track;
    const rate = track.rate as Rate;
    rate.look(now, done);
    return {
      id: this.task.id,
      name: message ?? "track",
      parentId: this.task.id,
      state: "running",
      done,
      total,
      unit,
      message,
      fraction: fractionOf(done, total),
      ...speedOf(rate, now, done, total),
      startedAt,
      elapsed: now - startedAt,
      children: [],
    };
  }

  /**
   * What the task says of itself goes before the items that it works on, and those before its children. Of children that all count
   * the same thing, the sums; of others, how many have ended, with the fractions of those that have not.
   */
  #measure(children: readonly Progress[]): Measured | undefined {
    const sum = Sum.of(this.#ended);
    for (const each of children) sum.add(each, false);
    return this.#measureOwn(sum) ?? this.#measureItems(sum) ?? this.#measureJobs(sum);
  }

  #measureOwn(sum: Sum): Measured | undefined {
    const { own } = this;
    if (own === null || own.rate === null) return undefined;
    const { done, total, unit } = own;
    if (unit !== undefined && sum.count > 0 && unit === sum.unit && !sum.mixed) {
      return measured(done + sum.done, plus(total, sum.total), unit, sum.effective - sum.done, `all ${unit}`);
    }
    const [inner] = this.#inner();
    const part = inner === undefined ? 0 : (fractionOf(inner.done, inner.total) ?? 0);
    return measured(done, total, unit, part, own);
  }

  #measureItems(sum: Sum): Measured | undefined {
    let { done, total } = this.#items ?? { done: 0, total: 0 };
    let part = 0;
    for (const each of this.#counts) {
      if (!isItems(each)) continue;
      done += each._done;
      total = plus(total, each._total);
      // The fractions of those under way.
      if (each._inTasks) part = sum.parts;
    }
    return done === 0 && total === 0 ? undefined : measured(done, total, "items", part, "items");
  }

  #measureJobs(sum: Sum): Measured | undefined {
    let made = this.#jobs;
    let over = this.#jobs;
    for (const each of this.#counts) {
      if (isItems(each)) continue;
      made += each._made;
      over += each._made - each._left;
    }
    const count = Math.max(made, sum.count);
    if (count === 0) return undefined;
    const ended = Math.max(over, sum.ended);
    const fraction = Math.min(1, (sum.fractions + ended - sum.ended) / count);
    // Some have told nothing, or other things than others.
    if (sum.count < made || sum.mixed) {
      return { done: ended, total: count, unit: "tasks", fraction, effective: fraction * count, by: "tasks" };
    }
    const { done, total, unit, effective } = sum;
    const known = total === undefined ? (made > 0 ? fraction : undefined) : fractionOf(effective, total);
    return { done, total, unit, fraction: known, effective, by: `sum of ${unit}` };
  }

  #sweep(): void {
    let left = 0;
    for (const each of this.#counts) {
      if (!isOver(each)) this.#counts[left++] = each;
      else if (isItems(each)) {
        const { done, total } = this.#items ?? { done: 0, total: 0 };
        this.#items = { done: done + each._done, total: plus(total, each._total) };
        each._added = true;
      } else {
        this.#jobs += each._made;
        each._made = 0;
      }
    }
    this.#counts.length = left;
  }
}

interface Speed {
  readonly rate: number | undefined;
  readonly eta: number | undefined;
}

const UNKNOWN: Speed = { rate: undefined, eta: undefined };

function speedOf(given: Rate, now: number, done: number, total: number | undefined): Speed {
  const rate = given.at(now);
  return { rate, eta: timeToGo(total, done, rate) };
}

/** `part`: how much is done of units under way. */
function measured(
  done: number,
  total: number | undefined,
  unit: string | undefined,
  part: number,
  by: Account | string,
): Measured {
  const effective = total === undefined ? done : done + Math.min(part, Math.max(0, total - done));
  return { done, total, unit, fraction: fractionOf(effective, total), effective, by };
}

function isItems(count: Countable): count is ItemCount {
  return (count as ItemCount)._inTasks !== undefined;
}

function isOver(count: Countable): boolean {
  return isItems(count) ? count._over : count._left === 0;
}

function stateOf(task: Task<unknown>): Progress["state"] {
  if (!task.done()) return "running";
  return task._state === CANCELLED ? "cancelled" : task._state === FAILED ? "failed" : "finished";
}

/** Whether two pictures of a task tell the same, as far as the children do not tell themselves. */
function isSame(a: Progress | undefined, b: Progress | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    isEqual(a, b) &&
    a.parentId === b.parentId &&
    a.children.length === b.children.length &&
    a.children.every((each, index) => {
      const other = b.children[index] as Progress;
      // One with the same id is a `track` inside of another one.
      return each.id === other.id && (each.id !== a.id || isEqual(each, other));
    })
  );
}

function isEqual(a: Progress, b: Progress): boolean {
  return (
    a.done === b.done &&
    a.total === b.total &&
    a.unit === b.unit &&
    a.message === b.message &&
    a.fraction === b.fraction &&
    a.name === b.name
  );
}
