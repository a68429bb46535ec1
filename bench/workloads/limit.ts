import type { Semaphore as AsyncSemaphore } from "async-mutex";
import type { Semaphore } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import type { Semaphore as FloorSemaphore } from "./floor/sync.ts";
import type { Semaphore as NativeSemaphore } from "./native/semaphore.ts";
import { did } from "./support/did.ts";
import { job, WAVE, wave } from "./support/wave.ts";

const AT_A_TIME = 50;

const workload: Workload = {
  name: "limit",
  operation: "a job that suspends once is run, at most 50 at a time; all of a wave of 1000 are handed over at once",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, run, Semaphore, sleep } = await import("tsyncio");
      function* job(semaphore: Semaphore) {
        yield* semaphore.acquire();
        try {
          yield* sleep(0);
          return 1;
        } finally {
          semaphore.release();
        }
      }
      function* main(n: number) {
        const semaphore = new Semaphore(AT_A_TIME);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = wave(from, n).map(() => createTask(job(semaphore)));
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      const { Semaphore } = await import("./native/semaphore.ts");
      async function job(semaphore: NativeSemaphore) {
        await semaphore.acquire();
        try {
          await null;
          return 1;
        } finally {
          semaphore.release();
        }
      }
      return async (n) => {
        const semaphore = new Semaphore(AT_A_TIME);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = wave(from, n).map(() => job(semaphore));
          for (const result of await Promise.all(tasks)) done += result;
        }
        did(done, n);
      };
    },
    async floor() {
      const { run, sleep, Task } = await import("./floor/runtime.ts");
      const { Semaphore } = await import("./floor/sync.ts");
      function* job(semaphore: FloorSemaphore) {
        yield* semaphore.acquire();
        try {
          yield* sleep(0);
          return 1;
        } finally {
          semaphore.release();
        }
      }
      function* main(n: number) {
        const semaphore = new Semaphore(AT_A_TIME);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = wave(from, n).map(() => new Task(job(semaphore)));
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const job = () => Effect.as(Effect.yieldNow, 1);
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of yield* Effect.forEach(wave(from, n), job, { concurrency: AT_A_TIME })) done += result;
        }
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async "p-limit"() {
      const { default: pLimit } = await import("p-limit");
      return async (n) => {
        const limit = pLimit(AT_A_TIME);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) for (const result of await limit.map(wave(from, n), job)) done += result;
        did(done, n);
      };
    },
    async "p-queue"() {
      const { default: PQueue } = await import("p-queue");
      return async (n) => {
        const queue = new PQueue({ concurrency: AT_A_TIME });
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of await queue.addAll(wave(from, n).map(() => job))) done += result;
        }
        did(done, n);
      };
    },
    async "p-map"() {
      const { default: pMap } = await import("p-map");
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of await pMap(wave(from, n), job, { concurrency: AT_A_TIME })) done += result;
        }
        did(done, n);
      };
    },
    async "async-mutex"() {
      const { Semaphore } = await import("async-mutex");
      async function job(semaphore: AsyncSemaphore) {
        const [, release] = await semaphore.acquire();
        try {
          await null;
          return 1;
        } finally {
          release();
        }
      }
      return async (n) => {
        const semaphore = new Semaphore(AT_A_TIME);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = wave(from, n).map(() => job(semaphore));
          for (const result of await Promise.all(tasks)) done += result;
        }
        did(done, n);
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      const fulfilled = Bluebird.resolve();
      const job = Bluebird.coroutine<number>(function* () {
        yield fulfilled;
        return 1;
      });
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of await Bluebird.map(wave(from, n), job, { concurrency: AT_A_TIME })) done += result;
        }
        did(done, n);
      };
    },
    async rxjs() {
      const { from: observe, lastValueFrom, mergeMap, reduce } = await import("rxjs");
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const results = observe(wave(from, n)).pipe(mergeMap(job, AT_A_TIME));
          done += await lastValueFrom(results.pipe(reduce((sum, result) => sum + result)));
        }
        did(done, n);
      };
    },
  },
};

export default workload;
