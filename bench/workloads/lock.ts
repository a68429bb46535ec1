import type { Mutex as AsyncMutex } from "async-mutex";
import type { Semaphore as EffectSemaphore } from "effect/Semaphore";
import type { Lock } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import type { Semaphore as FloorSemaphore } from "./floor/sync.ts";
import type { Mutex } from "./native/mutex.ts";
import { did } from "./support/did.ts";
import { share } from "./support/share.ts";

const TASKS = 10;

const workload: Workload = {
  name: "lock",
  operation: "10 tasks contend for one lock; one acquires it, suspends once and releases it",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Lock, run, sleep } = await import("tsyncio");
      function* contender(lock: Lock, times: number) {
        let done = 0;
        while (done < times) {
          yield* lock.acquire();
          try {
            yield* sleep(0);
            done++;
          } finally {
            lock.release();
          }
        }
        return done;
      }
      function* main(n: number) {
        const lock = new Lock();
        const tasks = share(n, TASKS).map((times) => createTask(contender(lock, times)));
        let done = 0;
        for (const task of tasks) done += yield* task;
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      const { Mutex } = await import("./native/mutex.ts");
      async function contender(mutex: Mutex, times: number) {
        let done = 0;
        while (done < times) {
          await mutex.acquire();
          try {
            await null;
            done++;
          } finally {
            mutex.release();
          }
        }
        return done;
      }
      return async (n) => {
        const mutex = new Mutex();
        let done = 0;
        for (const part of await Promise.all(share(n, TASKS).map((times) => contender(mutex, times)))) done += part;
        did(done, n);
      };
    },
    async floor() {
      const { run, sleep, Task } = await import("./floor/runtime.ts");
      const { Semaphore } = await import("./floor/sync.ts");
      function* contender(lock: FloorSemaphore, times: number) {
        let done = 0;
        while (done < times) {
          yield* lock.acquire();
          try {
            yield* sleep(0);
            done++;
          } finally {
            lock.release();
          }
        }
        return done;
      }
      function* main(n: number) {
        const lock = new Semaphore(1);
        const tasks = share(n, TASKS).map((times) => new Task(contender(lock, times)));
        let done = 0;
        for (const task of tasks) done += yield* task;
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const Semaphore = await import("effect/Semaphore");
      const contender = Effect.fnUntraced(function* (semaphore: EffectSemaphore, times: number) {
        const once = semaphore.withPermit(Effect.as(Effect.yieldNow, 1));
        let done = 0;
        while (done < times) done += yield* once;
        return done;
      });
      const main = Effect.fnUntraced(function* (n: number) {
        const semaphore = yield* Semaphore.make(1);
        const tasks = share(n, TASKS).map((times) => contender(semaphore, times));
        let done = 0;
        for (const part of yield* Effect.all(tasks, { concurrency: "unbounded" })) done += part;
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async "async-mutex"() {
      const { Mutex } = await import("async-mutex");
      async function contender(mutex: AsyncMutex, times: number) {
        let done = 0;
        while (done < times) {
          const release = await mutex.acquire();
          try {
            await null;
            done++;
          } finally {
            release();
          }
        }
        return done;
      }
      return async (n) => {
        const mutex = new Mutex();
        let done = 0;
        for (const part of await Promise.all(share(n, TASKS).map((times) => contender(mutex, times)))) done += part;
        did(done, n);
      };
    },
  },
};

export default workload;
