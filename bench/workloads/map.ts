import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";
import { WAVE, wave } from "./support/wave.ts";

const AT_A_TIME = 50;

async function job(item: number): Promise<number> {
  await null;
  return item >= 0 ? 1 : 0;
}

const sum = (results: readonly number[]): number => results.reduce((total, each) => total + each, 0);

const workload: Workload = {
  name: "map",
  operation: "a function that suspends once is called for an item, 50 at a time, and its result kept; in lists of 1000",
  measures: "time",
  peers: {
    async tsyncio() {
      const { map, run, sleep } = await import("tsyncio");
      function* job(item: number) {
        yield* sleep(0);
        return item >= 0 ? 1 : 0;
      }
      function* main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) done += sum(yield* map(wave(from, n), job, { concurrency: AT_A_TIME }));
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const items = wave(from, n);
          const results: number[] = [];
          let next = 0;
          const work = async () => {
            while (next < items.length) {
              const index = next++;
              results[index] = await job(items[index] as number);
            }
          };
          await Promise.all(Array.from({ length: AT_A_TIME }, work));
          done += sum(results);
        }
        did(done, n);
      };
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const job = (item: number) => Effect.as(Effect.yieldNow, item >= 0 ? 1 : 0);
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE)
          done += sum(yield* Effect.forEach(wave(from, n), job, { concurrency: AT_A_TIME }));
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async "p-map"() {
      const { default: pMap } = await import("p-map");
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) done += sum(await pMap(wave(from, n), job, { concurrency: AT_A_TIME }));
        did(done, n);
      };
    },
    async "p-limit"() {
      const { default: pLimit } = await import("p-limit");
      return async (n) => {
        const limit = pLimit(AT_A_TIME);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) done += sum(await limit.map(wave(from, n), job));
        did(done, n);
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      return async (n) => {
        let done = 0;
        for (let from = 0; from < n; from += WAVE)
          done += sum(await Bluebird.map(wave(from, n), job, { concurrency: AT_A_TIME }));
        did(done, n);
      };
    },
  },
};

export default workload;
