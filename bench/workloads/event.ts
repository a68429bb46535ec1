import type Bluebird from "bluebird";
import type { Operation } from "effection";
import type { Event } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import type { Event as FloorEvent } from "./floor/sync.ts";
import { did } from "./support/did.ts";

const WAITERS = 10_000;

const workload: Workload = {
  name: "event",
  operation: "10,000 tasks wait for one event, it is set, all wake and end; a task, its start and its join included",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Event, run, sleep } = await import("tsyncio");
      function* waiter(event: Event) {
        yield* event.wait();
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAITERS) {
          const event = new Event();
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAITERS); i++) tasks.push(createTask(waiter(event)));
          yield* sleep(0);
          event.set();
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      async function waiter(event: Promise<void>) {
        await event;
        return 1;
      }
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAITERS) {
          let set = () => {};
          const event = new Promise<void>((resolve) => {
            set = resolve;
          });
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAITERS); i++) tasks.push(waiter(event));
          set();
          for (const result of await Promise.all(tasks)) done += result;
        }
        did(done, n);
      };
    },
    async floor() {
      const { run, sleep, Task } = await import("./floor/runtime.ts");
      const { Event } = await import("./floor/sync.ts");
      function* waiter(event: FloorEvent) {
        yield* event.wait();
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAITERS) {
          const event = new Event();
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAITERS); i++) tasks.push(new Task(waiter(event)));
          yield* sleep(0);
          event.set();
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const Fiber = await import("effect/Fiber");
      const Latch = await import("effect/Latch");
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAITERS) {
          const latch = yield* Latch.make();
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAITERS); i++) tasks.push(Effect.as(latch.await, 1));
          // One fiber that holds the fibers of all: cheaper than to fork and to join each.
          const all = yield* Effect.forkChild(Effect.all(tasks, { concurrency: "unbounded" }), { startImmediately: true });
          yield* latch.open;
          for (const result of yield* Fiber.join(all)) done += result;
        }
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run, spawn, until, withResolvers } = await import("effection");
      function* waiter(event: Operation<void>) {
        yield* event;
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAITERS) {
          const { operation: event, resolve: set } = withResolvers<void>();
          const start = () => waiter(event);
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAITERS); i++) tasks.push(yield* spawn(start));
          // Effection prefers parents to children: they start when the parent waits for something from outside.
          yield* until(Promise.resolve());
          set();
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      const waiter = Bluebird.coroutine(function* (event: Bluebird<void>) {
        yield event;
        return 1;
      });
      const main = Bluebird.coroutine(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAITERS) {
          let set = () => {};
          const event = new Bluebird<void>((resolve) => {
            set = resolve;
          });
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAITERS); i++) tasks.push(waiter(event));
          set();
          for (const result of (yield Bluebird.all(tasks)) as number[]) done += result;
        }
        did(done, n);
      });
      return async (n) => {
        await main(n);
      };
    },
  },
};

export default workload;
