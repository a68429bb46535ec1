/**
 * Queue shutdown race: the queue is shut down as soon as it is empty. But empty is not done: a job that a worker has in hand may fail
 * and have to be put back, and then the queue takes it no more.
 *
 * Not seen first come, first served: the failed job is put back in the same millisecond in which the queue is looked at, and before.
 *
 * Mended: `queue.join()` waits until every job is done.
 */

import { createTask, gather, Queue, QueueShutDown, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

interface Mail {
  readonly to: string;
  attempts: number;
}

async function send(mail: Mail): Promise<boolean> {
  await sleep("10ms");
  return ++mail.attempts > 1 || mail.to !== "bob"; // Bob's server refuses what it has not seen before
}

async function deliver(queue: Queue<Mail>): Promise<void> {
  for await (const mail of queue) {
    if (!(await send(mail))) await queue.put(mail);
    queue.taskDone();
  }
}

type Drain = (queue: Queue<Mail>) => Promise<void>;

async function untilEmpty(queue: Queue<Mail>): Promise<void> {
  while (!queue.empty()) {
    await sleep("15ms");
    await sleep("5ms"); // tells how far it is
  }
}

async function untilDone(queue: Queue<Mail>): Promise<void> {
  await queue.join();
}

const sendTwo =
  (drain: Drain): TestBody =>
  async () => {
    const queue = new Queue<Mail>(0, { name: "outbox" });
    for (const to of ["ann", "bob"]) queue.putNowait({ to, attempts: 0 });
    await gather(
      createTask(() => deliver(queue), { name: "worker" }),
      createTask(
        async () => {
          await drain(queue);
          queue.shutdown();
        },
        { name: "shutdown" },
      ),
    );
  };

export const queueShutdownRace: Bug = {
  name: "queue shutdown race",
  runs: 10,
  decisions: 1,
  fails: ["QueueShutDown", new QueueShutDown().code],
  buggy: sendTwo(untilEmpty),
  mended: sendTwo(untilDone),
};
