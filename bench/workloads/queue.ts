import type { Queue as EffectQueue } from "effect/Queue";
import type { Queue } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import type { Queue as FloorQueue } from "./floor/sync.ts";
import type { BoundedQueue } from "./native/bounded-queue.ts";
import { did } from "./support/did.ts";
import { share } from "./support/share.ts";

const PRODUCERS = 10;
const CONSUMERS = 10;
const SIZE = 100;

const workload: Workload = {
  name: "queue",
  operation: "10 producers and 10 consumers at a queue of 100 places; an item put and taken",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Queue, run } = await import("tsyncio");
      function* producer(queue: Queue<number>, items: number) {
        for (let i = 0; i < items; i++) yield* queue.put(1);
      }
      function* consumer(queue: Queue<number>, items: number) {
        let taken = 0;
        for (let i = 0; i < items; i++) taken += yield* queue.get();
        return taken;
      }
      function* main(n: number) {
        const queue = new Queue<number>(SIZE);
        const producers = share(n, PRODUCERS).map((items) => createTask(producer(queue, items)));
        const consumers = share(n, CONSUMERS).map((items) => createTask(consumer(queue, items)));
        for (const task of producers) yield* task;
        let done = 0;
        for (const task of consumers) done += yield* task;
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      const { BoundedQueue } = await import("./native/bounded-queue.ts");
      async function producer(queue: BoundedQueue<number>, items: number) {
        for (let i = 0; i < items; i++) await queue.put(1);
      }
      async function consumer(queue: BoundedQueue<number>, items: number) {
        let taken = 0;
        for (let i = 0; i < items; i++) taken += await queue.get();
        return taken;
      }
      return async (n) => {
        const queue = new BoundedQueue<number>(SIZE);
        const producers = share(n, PRODUCERS).map((items) => producer(queue, items));
        const consumers = share(n, CONSUMERS).map((items) => consumer(queue, items));
        await Promise.all(producers);
        let done = 0;
        for (const taken of await Promise.all(consumers)) done += taken;
        did(done, n);
      };
    },
    async floor() {
      const { run, Task } = await import("./floor/runtime.ts");
      const { Queue } = await import("./floor/sync.ts");
      function* producer(queue: FloorQueue<number>, items: number) {
        for (let i = 0; i < items; i++) yield* queue.put(1);
      }
      function* consumer(queue: FloorQueue<number>, items: number) {
        let taken = 0;
        for (let i = 0; i < items; i++) taken += yield* queue.get();
        return taken;
      }
      function* main(n: number) {
        const queue = new Queue<number>(SIZE);
        const producers = share(n, PRODUCERS).map((items) => new Task(producer(queue, items)));
        const consumers = share(n, CONSUMERS).map((items) => new Task(consumer(queue, items)));
        for (const task of producers) yield* task;
        let done = 0;
        for (const task of consumers) done += yield* task;
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const Fiber = await import("effect/Fiber");
      const Queue = await import("effect/Queue");
      const producer = Effect.fnUntraced(function* (queue: EffectQueue<number>, items: number) {
        for (let i = 0; i < items; i++) yield* Queue.offer(queue, 1);
      });
      const consumer = Effect.fnUntraced(function* (queue: EffectQueue<number>, items: number) {
        let taken = 0;
        for (let i = 0; i < items; i++) taken += yield* Queue.take(queue);
        return taken;
      });
      const main = Effect.fnUntraced(function* (n: number) {
        const queue = yield* Queue.bounded<number>(SIZE);
        const producers = share(n, PRODUCERS).map((items) => producer(queue, items));
        const consumers = share(n, CONSUMERS).map((items) => consumer(queue, items));
        const producing = yield* Effect.forkChild(Effect.all(producers, { concurrency: "unbounded", discard: true }));
        let done = 0;
        for (const taken of yield* Effect.all(consumers, { concurrency: "unbounded" })) done += taken;
        yield* Fiber.join(producing);
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
  },
};

export default workload;
