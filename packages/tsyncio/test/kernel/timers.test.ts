import { expect, test } from "vitest";
import { type TimerEntry, Timers } from "../../src/kernel/timers.ts";

class Entry implements TimerEntry {
  readonly label: number;
  isCancelled = false;
  constructor(label: number) {
    this.label = label;
  }
  cancelled(): boolean {
    return this.isCancelled;
  }
  _run(): void {}
}

/** The labels of the entries due by a time, in order. */
function taken(timers: Timers, until = Number.POSITIVE_INFINITY): number[] {
  const labels: number[] = [];
  timers.take(until, (entry) => labels.push((entry as Entry).label));
  return labels;
}

/** Numbers from 0 to 1 that are the same each time. */
function* numbers(): Generator<number, never> {
  for (let state = 7; ; ) {
    state = (state * 1103515245 + 12345) % 2147483648;
    yield state / 2147483648;
  }
}

test("Timers.take(), gives the entries by deadline, and equal ones in the order of push(), among a thousand", () => {
  const timers = new Timers();
  const random = numbers();
  const expected: { when: number; label: number }[] = [];
  for (let label = 0; label < 1000; label++) {
    const when = Math.floor(random.next().value * 50);
    timers.push(when, new Entry(label));
    expected.push({ when, label });
  }

  expected.sort((a, b) => a.when - b.when || a.label - b.label);

  expect(taken(timers)).toEqual(expected.map((each) => each.label));
});

test("Timers.take(), leaves what is due later, whatever was taken before", () => {
  const timers = new Timers();
  for (const when of [5, 1, 4, 2, 3]) timers.push(when, new Entry(when));

  const batches = [taken(timers, 2), timers.bound(), taken(timers, 4), taken(timers, 4), taken(timers)];

  expect(batches).toEqual([[1, 2], 3, [3, 4], [], [5]]);
});

test("Timers.noteCancelled(), drops cancelled entries as soon as they are the majority, though nobody asks for the next one", () => {
  const timers = new Timers();
  const entries = Array.from({ length: 1000 }, (_, label) => new Entry(label));
  for (const entry of entries) timers.push(entry.label, entry);

  const sizes: number[] = [];
  for (const entry of entries) {
    if (entry.label % 10 === 0) continue;
    entry.isCancelled = true;
    timers.noteCancelled();
    sizes.push(timers.length);
  }

  // At any time no more than twice those alive, and the hundred for which it is not worth while.
  expect(sizes.at(-1)).toBeLessThanOrEqual(300);
  expect(Math.max(...sizes)).toBe(1000);
  expect(taken(timers)).toEqual(entries.filter((each) => !each.isCancelled).map((each) => each.label));
});

test("Timers.noteCancelled(), keeps the order of equal deadlines, when it drops others", () => {
  const timers = new Timers();
  const entries = Array.from({ length: 400 }, (_, label) => new Entry(label));
  for (const entry of entries) timers.push(entry.label % 3, entry);
  for (const entry of entries) {
    if (entry.label % 4 === 0) continue;
    entry.isCancelled = true;
    timers.noteCancelled();
  }
  for (let label = 400; label < 410; label++) timers.push(label % 3, new Entry(label));

  const labels = taken(timers);

  const alive = [
    ...entries.filter((each) => !each.isCancelled).map((each) => each.label),
    400,
    401,
    402,
    403,
    404,
    405,
    406,
    407,
    408,
    409,
  ];
  expect(labels).toEqual(alive.sort((a, b) => (a % 3) - (b % 3) || a - b));
});
