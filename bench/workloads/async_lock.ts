import type { Lock } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import lock from "./lock.ts";
import { did } from "./support/did.ts";
import { share } from "./support/share.ts";

const TASKS = 10;

const { "async-mutex": asyncMutex, native } = lock.peers;

const workload: Workload = {
  name: "async_lock",
  operation: "as lock, in async functions; the other peers, whose functions are async there, too, are the same",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Lock, run, sleep } = await import("tsyncio");
      async function contender(lock: Lock, times: number) {
        let done = 0;
        while (done < times) {
          await lock.acquire();
          try {
            await sleep(0);
            done++;
          } finally {
            lock.release();
          }
        }
        return done;
      }
      async function main(n: number) {
        const lock = new Lock();
        const tasks = share(n, TASKS).map((times) => createTask(() => contender(lock, times)));
        let done = 0;
        for (const task of tasks) done += await task;
        did(done, n);
      }
      return (n) => run(() => main(n));
    },
    ...(native && { native }),
    ...(asyncMutex && { "async-mutex": asyncMutex }),
  },
};

export default workload;
