/**
 * A barrier that breaks when it is used again: it closes when the last one has left. A fast worker that is back before that finds it
 * open, and runs ahead of the others.
 *
 * Not seen first come, first served: whoever was woken goes on before the fast one is back.
 *
 * Mended: the library's Barrier, which lets nobody in while others are leaving.
 */

import assert from "node:assert/strict";
import { Barrier, type Coroutine, createTask, Event, gather, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class HomemadeBarrier {
  readonly #parties: number;
  readonly #open = new Event({ name: "barrier" });
  #here = 0;

  constructor(parties: number) {
    this.#parties = parties;
  }

  *wait(): Coroutine<void> {
    if (++this.#here === this.#parties) this.#open.set();
    yield* this.#open.wait();
    if (--this.#here === 0) this.#open.clear();
  }
}

interface MeetingPoint {
  wait(): Coroutine<unknown> | ReturnType<Barrier["wait"]>;
}

const threePhases = (make: (parties: number) => MeetingPoint): TestBody =>
  function* (t) {
    const barrier = make(2);
    const phases = new Map([
      ["left", 0],
      ["right", 0],
    ]);
    t.invariant(() => {
      const [left, right] = phases.values() as Iterable<number> as [number, number];
      assert.ok(Math.abs(left - right) <= 1, `left is in phase ${left}, right in phase ${right}`);
    });
    function* work(half: string): Coroutine<void> {
      for (let phase = 1; phase <= 3; phase++) {
        yield* sleep(0); // its half of the picture
        phases.set(half, phase);
        yield* barrier.wait();
      }
    }
    yield* gather(createTask(work("left"), { name: "left" }), createTask(work("right"), { name: "right" }));
  };

export const brokenBarrierReuse: Bug = {
  name: "broken barrier reuse",
  runs: 10,
  decisions: 1,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: threePhases((parties) => new HomemadeBarrier(parties)),
  mended: threePhases((parties) => new Barrier(parties)),
};
