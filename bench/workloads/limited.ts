import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";
import { job, WAVE, wave } from "./support/wave.ts";

const AT_A_TIME = 50;

const workload: Workload = {
  name: "limited",
  operation: "a call of a function that lets 50 at a time go on and suspends once; 1000 are called at once",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, limit, run, sleep } = await import("tsyncio");
      function* job() {
        yield* sleep(0);
        return 1;
      }
      function* main(n: number) {
        const limited = limit(job, { concurrency: AT_A_TIME });
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = wave(from, n).map(() => createTask(limited()));
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async "p-limit"() {
      const { limitFunction } = await import("p-limit");
      return async (n) => {
        const limited = limitFunction(job, { concurrency: AT_A_TIME });
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of await Promise.all(wave(from, n).map(() => limited()))) done += result;
        }
        did(done, n);
      };
    },
    async "p-queue"() {
      const { default: PQueue } = await import("p-queue");
      return async (n) => {
        const queue = new PQueue({ concurrency: AT_A_TIME });
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of await Promise.all(wave(from, n).map(() => queue.add(job)))) done += result;
        }
        did(done, n);
      };
    },
  },
};

export default workload;
