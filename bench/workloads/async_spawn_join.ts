import type { Workload } from "../src/workload.ts";
import spawnJoin from "./spawn_join.ts";
import { did } from "./support/did.ts";

const WAVE = 1000;

const { native } = spawnJoin.peers;

const workload: Workload = {
  name: "async_spawn_join",
  operation:
    "as spawn_join, in async functions: one that returns at once is made a task and its result awaited; native is the same",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, run } = await import("tsyncio");
      async function one() {
        return 1;
      }
      async function main(n: number) {
        let done = 0;
        for (let from = 0; from < n; from += WAVE) {
          const tasks = [];
          for (let i = from; i < Math.min(n, from + WAVE); i++) tasks.push(createTask(one));
          for (const task of tasks) done += await task;
        }
        did(done, n);
      }
      return (n) => run(() => main(n));
    },
    ...(native && { native }),
  },
};

export default workload;
