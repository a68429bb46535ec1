import type { Inspection } from "bluebird";
import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";

const WAVE = 100;

const workload: Workload = {
  name: "cancel",
  operation: "a task is started, waits for what never comes, is cancelled, and its end is awaited; 100 are started at a time",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Future, isCancelled, run, sleep } = await import("tsyncio");
      function* waitForever() {
        yield* new Future<void>();
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(createTask(waitForever()));
          yield* sleep(0);
          for (const task of tasks) {
            task.cancel();
            try {
              yield* task;
            } catch (error) {
              if (!isCancelled(error)) throw error;
              done++;
            }
          }
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      async function waitForever(signal: AbortSignal) {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      }
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) {
            const controller = new AbortController();
            tasks.push({ controller, end: waitForever(controller.signal) });
          }
          for (const { controller, end } of tasks) {
            controller.abort();
            try {
              await end;
            } catch (error) {
              if (error !== controller.signal.reason) throw error;
              done++;
            }
          }
        }
        did(done, n);
      };
    },
    async floor() {
      const { CANCELLED, Future, run, sleep, Task } = await import("./floor/runtime.ts");
      function* waitForever() {
        yield* new Future<void>();
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(new Task(waitForever()));
          yield* sleep(0);
          for (const task of tasks) {
            task.cancel();
            try {
              yield* task;
            } catch (error) {
              if (error !== CANCELLED) throw error;
              done++;
            }
          }
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const Exit = await import("effect/Exit");
      const Fiber = await import("effect/Fiber");
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const fibers = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) {
            fibers.push(yield* Effect.forkChild(Effect.never, { startImmediately: true }));
          }
          for (const fiber of fibers) {
            yield* Fiber.interrupt(fiber);
            const exit = fiber.pollUnsafe();
            if (exit !== undefined && Exit.hasInterrupts(exit)) done++;
          }
        }
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run, spawn, suspend, until } = await import("effection");
      let done = 0;
      function* waitForever() {
        try {
          yield* suspend();
        } finally {
          done++;
        }
      }
      function* main(n: number) {
        done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(yield* spawn(waitForever));
          // Effection prefers parents to children: they start when the parent waits for something from outside.
          yield* until(Promise.resolve());
          for (const task of tasks) yield* task.halt();
        }
        did(done, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      Bluebird.config({ cancellation: true });
      const waitForever = Bluebird.coroutine(function* () {
        yield new Bluebird(() => {});
      });
      const main = Bluebird.coroutine(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(waitForever());
          for (const task of tasks) {
            // A cancelled promise never settles; what reflects it does.
            const end = task.reflect();
            task.cancel();
            if (((yield end) as Inspection<void>).isCancelled()) done++;
          }
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
