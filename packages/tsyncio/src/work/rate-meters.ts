/** The two ways to measure a rate. Pure arithmetic: the time is told, never asked for. */

import { NEVER } from "../base/duration.ts";

/** What has been granted lately, and what that leaves. All times are milliseconds on one clock, and never go back. */
export interface Meter {
  /** The greatest cost that can ever be granted at once. */
  readonly max: number;
  /** The cost that can be granted now. */
  available(now: number): number;
  /** The earliest time at which this cost can be granted if nothing else is; not before `now`. */
  readyAt(cost: number, now: number): number;
  /** Counts a cost that is granted now. */
  charge(cost: number, now: number): void;
  /** Whether nothing that was granted counts any more. */
  asNew(now: number): boolean;
  /** Changes the rate; what was granted keeps counting. */
  change(limit: number, per: number, burst: number, now: number): void;
  reset(): void;
}

/** One or more grants of the same time. */
interface Entry {
  readonly at: number;
  cost: number;
}

/** Remembers each grant: what was granted at t counts until t + per, and no longer. */
export class SlidingWindow implements Meter {
  // INVARIANT  #used = the costs of the entries from #head on; their times rise.
  #limit: number;
  #per: number;
  #entries: Entry[] = [];
  #head = 0;
  #used = 0;

  constructor(limit: number, per: number) {
    this.#limit = limit;
    this.#per = per;
  }

  get max(): number {
    return this.#limit;
  }

  available(now: number): number {
    this.#forget(now);
    return Math.max(0, this.#limit - this.#used);
  }

  readyAt(cost: number, now: number): number {
    this.#forget(now);
    let missing = this.#used + cost - this.#limit;
    let when = now;
    for (let index = this.#head; missing > 0 && index < this.#entries.length; index++) {
      const entry = this.#entries[index] as Entry;
      missing -= entry.cost;
      when = entry.at + this.#per;
    }
    return missing > 0 ? NEVER : when;
  }

  charge(cost: number, now: number): void {
    this.#used += cost;
    const last = this.#entries.at(-1);
    if (last !== undefined && this.#head < this.#entries.length && last.at === now) last.cost += cost;
    else this.#entries.push({ at: now, cost });
  }

  asNew(now: number): boolean {
    this.#forget(now);
    return this.#used === 0;
  }

  change(limit: number, per: number): void {
    this.#limit = limit;
    this.#per = per;
  }

  reset(): void {
    this.#entries = [];
    this.#head = this.#used = 0;
  }

  #forget(now: number): void {
    const entries = this.#entries;
    // The same sum as in readyAt(): what is said to be ready then is so, however the fractions are rounded.
    while (this.#head < entries.length && (entries[this.#head] as Entry).at + this.#per <= now) {
      this.#used -= (entries[this.#head++] as Entry).cost;
    }
    if (this.#head > 32 && this.#head * 2 > entries.length) {
      entries.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

/** Tokens flow in evenly, up to a number; a grant takes as many as it costs. */
export class TokenBucket implements Meter {
  // Counted in units of which a token takes `per`, and `limit` flow in each millisecond: so nothing has to be updated as time passes, and
  // with whole numbers of milliseconds nothing is ever rounded.
  // INVARIANT  units there = burst · per - #taken + (now - #since) · limit, as long as that is less than burst · per.
  #limit: number;
  #per: number;
  #burst: number;
  /** When it was full for the last time, and what has been taken since. */
  #since = 0;
  #taken = 0;

  constructor(limit: number, per: number, burst: number) {
    this.#limit = limit;
    this.#per = per;
    this.#burst = burst;
  }

  get max(): number {
    return this.#burst;
  }

  available(now: number): number {
    const missing = this.#missing(now) / this.#per;
    let whole = Math.max(0, Math.floor(this.#burst - missing));
    // The division rounds, what counts does not.
    while (this.#fits(whole + 1, now)) whole++;
    while (whole > 0 && !this.#fits(whole, now)) whole--;
    return whole;
  }

  readyAt(cost: number, now: number): number {
    if (this.#fits(cost, now)) return now;
    if (cost > this.#burst) return NEVER;
    let when = Math.max(now, this.#since + (this.#taken - (this.#burst - cost) * this.#per) / this.#limit);
    // Rounded down, it would be a moment too early.
    for (let step = Number.EPSILON; !this.#fits(cost, when); step *= 2) when += when * step || Number.MIN_VALUE;
    return when;
  }

  charge(cost: number, now: number): void {
    if (this.asNew(now)) {
      this.#since = now;
      this.#taken = 0;
    }
    this.#taken += cost * this.#per;
  }

  asNew(now: number): boolean {
    return this.#missing(now) === 0;
  }

  change(limit: number, per: number, burst: number, now: number): void {
    // The tokens that are missing go on missing.
    const missing = this.#missing(now) / this.#per;
    this.#since = now;
    this.#taken = missing * per;
    this.#limit = limit;
    this.#per = per;
    this.#burst = burst;
  }

  reset(): void {
    this.#since = this.#taken = 0;
  }

  /** The units that it lacks to be full. */
  #missing(now: number): number {
    return Math.max(0, this.#taken - (now - this.#since) * this.#limit);
  }

  /** Whether this many tokens are there, or more. */
  #fits(cost: number, now: number): boolean {
    return cost <= this.#burst && this.#missing(now) <= (this.#burst - cost) * this.#per;
  }
}
