import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";

const WAVE = 1000;

const workload: Workload = {
  name: "spawn_join",
  operation: "a task that returns at once is started and its result awaited, 1000 at a time",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, run } = await import("tsyncio");
      function* one() {
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(createTask(one()));
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      async function one() {
        return 1;
      }
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(one());
          for (const result of await Promise.all(tasks)) done += result;
        }
        did(done, n);
      };
    },
    async floor() {
      const { run, Task } = await import("./floor/runtime.ts");
      function* one() {
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(new Task(one()));
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    // Effect.all is faster than forkChild and Fiber.join: it starts each fiber at once and hands none out.
    async effect() {
      const Effect = await import("effect/Effect");
      const one = () => Effect.sync(() => 1);
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(one());
          for (const result of yield* Effect.all(tasks, { concurrency: "unbounded" })) done += result;
        }
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run, spawn } = await import("effection");
      function* one() {
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(yield* spawn(one));
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

      const one = Bluebird.coroutine(function* () {
        return 1;
      });
      const main = Bluebird.coroutine(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(one());
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
