import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";

const NAP = 1500;

/** Effection takes 17 kB for a task: more do not fit into the memory that Node gives itself. */
const MOST_IN_EFFECTION = 100_000;

const workload: Workload = {
  name: "sleepers",
  operation: "a task sleeps for 1500 ms, beside all the others, and its end is awaited",
  measures: "memory",
  sizes: [10_000, 100_000, 1_000_000],
  peers: {
    async tsyncio() {
      const { createTask, run, sleep } = await import("tsyncio");
      function* sleeper() {
        yield* sleep(NAP);
        return 1;
      }
      function* main(n: number) {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(createTask(sleeper()));
        let done = 0;
        for (const task of tasks) done += yield* task;
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      async function sleeper() {
        await new Promise((resolve) => setTimeout(resolve, NAP));
        return 1;
      }
      return async (n) => {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(sleeper());
        let done = 0;
        for (const result of await Promise.all(tasks)) done += result;
        did(done, n);
      };
    },
    async floor() {
      const { run, sleep, Task } = await import("./floor/runtime.ts");
      function* sleeper() {
        yield* sleep(NAP);
        return 1;
      }
      function* main(n: number) {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(new Task(sleeper()));
        let done = 0;
        for (const task of tasks) done += yield* task;
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const sleeper = () => Effect.as(Effect.sleep(NAP), 1);
      const main = Effect.fnUntraced(function* (n: number) {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(sleeper());
        let done = 0;
        for (const result of yield* Effect.all(tasks, { concurrency: "unbounded" })) done += result;
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run, sleep, spawn } = await import("effection");
      function* sleeper() {
        yield* sleep(NAP);
        return 1;
      }
      function* main(n: number) {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(yield* spawn(sleeper));
        let done = 0;
        for (const task of tasks) done += yield* task;
        did(done, n);
      }
      return async (n) => {
        if (n > MOST_IN_EFFECTION) throw new RangeError(`Effection runs out of memory with ${n} tasks`);
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      const sleeper = Bluebird.coroutine(function* () {
        yield Bluebird.delay(NAP);
        return 1;
      });
      const main = Bluebird.coroutine(function* (n: number) {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(sleeper());
        let done = 0;
        for (const result of (yield Bluebird.all(tasks)) as number[]) done += result;
        did(done, n);
      });
      return async (n) => {
        await main(n);
      };
    },
    // One subscription for each: mergeMap and forkJoin look through the list of all of them whenever one ends.
    async rxjs() {
      const { firstValueFrom, timer } = await import("rxjs");
      return async (n) => {
        const tasks = [];
        for (let i = 0; i < n; i++) tasks.push(firstValueFrom(timer(NAP)));
        await Promise.all(tasks);
      };
    },
  },
};

export default workload;
