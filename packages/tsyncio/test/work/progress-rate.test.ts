import { describe, expect, test } from "vitest";
import { Random } from "../../src/testing/random.ts";
import { Rate, TIME_CONSTANT, timeToGo } from "../../src/work/progress-rate.ts";

/** A rate that has seen so many units, one in each interval. */
function steady(units: number, interval: number, step = 1): Rate {
  const rate = new Rate(0, 0);
  for (let n = 1; n <= units; n++) rate.look(n * interval, n * step);
  return rate;
}

describe("Rate", () => {
  test("is unknown until something has changed", () => {
    const rate = new Rate(0, 5);

    rate.look(1000, 5);

    expect(rate.at(0)).toBeUndefined();
    expect(rate.at(60_000)).toBeUndefined();
    expect(rate.average(60_000, 5)).toBeUndefined();
  });

  test("counts from where it began, not from 0", () => {
    const rate = new Rate(0, 500);

    rate.look(1000, 502);

    expect(rate.at(1000)).toBe(2);
    expect(rate.average(4000, 502)).toBe(0.5);
  });

  test.for([
    [10, 1000],
    [1000, 1],
    [5, 60_000],
    [50, 0.5],
  ] as const)(
    "is what it is, of %i units, one in %f ms, from the first one on, and until the next is overdue",
    ([units, interval]) => {
      for (let n = 1; n <= units; n++) {
        const rate = steady(n, interval);
        for (const later of [0, 0.3, 0.99]) expect(rate.at((n + later) * interval)).toBeCloseTo(1000 / interval, 6);
      }
    },
  );

  test("does not depend on how often somebody looks", () => {
    const often = new Rate(0, 0);
    const seldom = new Rate(0, 0);
    for (let at = 1; at <= 20_000; at++) {
      often.look(at, at * 3);
      if (at % 500 === 0) seldom.look(at, at * 3);
    }

    expect(often.at(20_000)).toBeCloseTo(3000, 6);
    expect(seldom.at(20_000)).toBeCloseTo(3000, 6);
  });

  test("sinks during a pause, without a jump, and comes back afterwards", () => {
    const rate = steady(100, 100);
    const during = [0, 50, 200, 1000, 5000, 20_000, 600_000].map((pause) => rate.at(10_000 + pause) as number);
    rate.look(20_000, 101);
    const after: number[] = [];
    for (let n = 1; n <= 1000; n++) {
      rate.look(20_000 + n * 100, 101 + n);
      if (n % 200 === 0) after.push(rate.at(20_000 + n * 100) as number);
    }

    expect(during.slice(0, 2)).toEqual([during[0], during[0]]);
    expect(during[0]).toBeCloseTo(10);
    for (let i = 2; i < during.length; i++) expect(during[i]).toBeLessThan(during[i - 1] as number);
    expect(during.at(-1)).toBeGreaterThan(0);
    expect(during[2]).toBeGreaterThan(9);
    for (let i = 1; i < after.length; i++) expect(after[i]).toBeGreaterThan(after[i - 1] as number);
    expect(after.at(-1)).toBeCloseTo(10, 1);
  });

  test("lets a burst count for the moment that it lasted", () => {
    const rate = steady(100, 1000);
    rate.look(100_010, 110);

    // 10 units in 10 ms are 1000 in a second; over the time constant they are 10 of 20.
    expect(rate.at(100_010)).toBeCloseTo(1 + 10_000 / TIME_CONSTANT, 1);
    rate.look(101_000, 111);
    rate.look(130_000, 140);
    expect(rate.at(130_000)).toBeLessThan(1.1);
  });

  test("forgets by its time constant: what was before it counts a third", () => {
    const rate = steady(1000, 100);
    for (let at = 1; at <= TIME_CONSTANT; at += 1) rate.look(100_000 + at, 1000 + at * 0.02);

    expect(rate.at(100_000 + TIME_CONSTANT)).toBeCloseTo(20 + (10 - 20) / Math.E, 1);
  });

  test("counts what comes at one moment with what comes next", () => {
    const rate = new Rate(0, 0);
    for (let n = 1; n <= 10; n++) rate.look(0, n);
    const before = rate.at(0);
    rate.look(1000, 10);

    expect(before).toBeUndefined();
    expect(rate.at(1000)).toBe(10);
  });

  test("goes on when less is done than before, and never turns negative", () => {
    const rate = steady(10, 1000);
    rate.look(10_500, 3);
    const dip = rate.at(10_500) as number;
    rate.look(11_000, 4);

    expect(dip).toBeCloseTo(1);
    expect(rate.at(11_000)).toBeGreaterThan(0);
    expect(rate.average(11_000, 4)).toBeCloseTo(1);
  });

  test("is a positive finite number or undefined, whatever comes, and so is the time to go", () => {
    const random = new Random(7);
    const sizes = [0, 1e-300, 1e-3, 1, 1e6, 1e300, Number.MAX_VALUE];
    const pick = (): number => sizes[Math.floor(random.next() * sizes.length)] as number;
    for (let run = 0; run < 300; run++) {
      const rate = new Rate(0, 0);
      let at = 0;
      for (let n = 0; n < 30; n++) {
        at += [0, 1e-9, 1e-3, 1, 1e5, 1e12][Math.floor(random.next() * 6)] as number;
        const done = pick();
        rate.look(at, done);
        for (const value of [rate.at(at), rate.at(at + pick()), rate.average(at, done)]) {
          if (value === undefined) continue;
          expect(value > 0 && Number.isFinite(value), String(value)).toBe(true);
          const time = timeToGo(pick(), done, value);
          expect(time === undefined || (time >= 0 && Number.isFinite(time)), String(time)).toBe(true);
        }
      }
    }
  });
});

test("timeToGo(), is what is left at the rate, 0 when all is done, and unknown otherwise", () => {
  expect(timeToGo(10, 4, 2)).toBe(3000);
  expect(timeToGo(10, 10, undefined)).toBe(0);
  expect(timeToGo(10, 12, 3)).toBe(0);
  expect(timeToGo(undefined, 4, 2)).toBeUndefined();
  expect(timeToGo(10, 4, undefined)).toBeUndefined();
  expect(timeToGo(1e308, 0, 1e-300)).toBeUndefined();
});
