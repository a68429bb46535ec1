import type DataLoader from "dataloader";
import type { Batcher } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";
import { WAVE, wave } from "./support/wave.ts";

const ones = async (keys: readonly number[]): Promise<number[]> => keys.map(() => 1);

const workload: Workload = {
  name: "batch",
  operation: "a task loads a value by its key, together with 999 others, in one call of a bulk function; nothing is cached",
  measures: "time",
  peers: {
    async tsyncio() {
      const { Batcher, createTask, run } = await import("tsyncio");
      function* visitor(batcher: Batcher<number, number>, key: number) {
        return yield* batcher.load(key);
      }
      function* main(n: number) {
        const batcher = new Batcher(ones);
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = wave(from, n).map((key) => createTask(visitor(batcher, key)));
          for (const task of tasks) done += yield* task;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async dataloader() {
      const { default: Loader } = await import("dataloader");
      async function visitor(loader: DataLoader<number, number>, key: number) {
        return await loader.load(key);
      }
      return async (n) => {
        const loader = new Loader(ones, { cache: false });
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          for (const result of await Promise.all(wave(from, n).map((key) => visitor(loader, key)))) done += result;
        }
        did(done, n);
      };
    },
  },
};

export default workload;
