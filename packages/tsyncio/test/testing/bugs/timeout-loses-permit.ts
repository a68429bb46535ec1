/**
 * Timeout and success: when the time to wait for a permit is over, the wait is cancelled. If the permit has come in the same moment,
 * there is nothing left to cancel, the caller is told that it is too late, and the permit belongs to nobody.
 *
 * Not seen first come, first served: the printer becomes free in the millisecond in which the wait for it ends, and the timer fires
 * before the printer's user has run.
 *
 * Mended: `timeout()` around the wait, which either ends with the permit or never had it.
 */

import { BoundedSemaphore, createTask, type Guard, gather, getRunningLoop, sleep, TimeoutError, timeout } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

type Acquire = (permits: BoundedSemaphore, patience: number) => Promise<Guard | null>;

async function acquireOrCancel(permits: BoundedSemaphore, patience: number): Promise<Guard | null> {
  const waiting = createTask(permits.acquire(), { name: "wait in line" });
  let late = false;
  const timer = getRunningLoop().callLater(patience, function giveUp() {
    late = true;
    waiting.cancel();
  });
  await waiting.join();
  timer.cancel();
  return late ? null : waiting.result();
}

async function acquireWithin(permits: BoundedSemaphore, patience: number): Promise<Guard | null> {
  try {
    return await timeout(patience, () => permits.acquire());
  } catch (error) {
    if (error instanceof TimeoutError) return null;
    throw error;
  }
}

const twoPrint =
  (acquire: Acquire): TestBody =>
  async () => {
    const printer = new BoundedSemaphore(1, { name: "printer" });
    async function print(pages: number): Promise<boolean> {
      const guard = await acquire(printer, 10);
      if (guard === null) return false;
      try {
        await sleep(pages);
        return true;
      } finally {
        guard.release();
      }
    }
    await gather(
      createTask(() => print(10), { name: "Ann" }),
      createTask(() => print(3), { name: "Bob" }),
    );
  };

export const timeoutLosesPermit: Bug = {
  name: "timeout loses a permit",
  runs: 60,
  decisions: 3,
  fails: ["ProblemError", "HELD_LOCK"],
  buggy: twoPrint(acquireOrCancel),
  mended: twoPrint(acquireWithin),
};
