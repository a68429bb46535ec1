import { expect, test } from "vitest";
import { type Meter, SlidingWindow, TokenBucket } from "../../src/work/rate-meters.ts";

/** Numbers that look random and are always the same. */
function* numbers(seed: number): Generator<number, never, unknown> {
  for (let x = seed; ; x = (x * 48271) % 2147483647) yield x / 2147483647;
}

const meters: [string, (limit: number) => Meter][] = [
  ["SlidingWindow", (limit) => new SlidingWindow(limit, 1000)],
  ["SlidingWindow of a fraction", (limit) => new SlidingWindow(limit, 333.3)],
  ["TokenBucket", (limit) => new TokenBucket(limit, 1000, 4)],
  ["TokenBucket of a fraction", (limit) => new TokenBucket(limit, 333.3, 3)],
];

test.each(meters)("%s.readyAt() says when so much is available, and not before, whatever is rounded", (_name, make) => {
  for (const limit of [1, 3, 7, 10, 97, 1013]) {
    const meter = make(limit);
    const random = numbers(limit);
    let now = 0.1;
    for (let i = 0; i < 300; i++) {
      const cost = 1 + Math.floor(random.next().value * Math.min(meter.max, 5));
      const when = meter.readyAt(cost, now);
      expect(when).toBeGreaterThanOrEqual(now);
      if (when > now) {
        expect(meter.available(now)).toBeLessThan(cost);
        const before = now + (when - now) * 0.999999;
        expect(before < when && meter.available(before) >= cost).toBe(false);
      }
      now = when;
      expect(meter.available(now)).toBeGreaterThanOrEqual(cost);
      expect(meter.readyAt(cost, now)).toBe(now);
      const available = meter.available(now);
      meter.charge(cost, now);
      expect([meter.available(now), meter.asNew(now)]).toEqual([available - cost, false]);
      if (i % 7 === 0) now += random.next().value * 50;
    }
    expect(meter.readyAt(meter.max + 1, now)).toBe(Number.POSITIVE_INFINITY);
    now += 1e7;
    expect([meter.available(now), meter.asNew(now)]).toEqual([meter.max, true]);
  }
});

test("SlidingWindow, keeps no more than what counts", () => {
  const meter = new SlidingWindow(1_000_000, 10);
  for (let now = 0; now < 10_000; now++) {
    meter.available(now);
    meter.charge(1, now);
  }

  const { length } = Object.values(meter).find(Array.isArray) ?? [];
  expect(length ?? 0).toBeLessThan(100);
  expect(meter.available(10_000)).toBe(1_000_000 - 9);
});
