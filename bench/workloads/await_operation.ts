import type { Workload } from "../src/workload.ts";

const workload: Workload = {
  name: "await_operation",
  operation: "an async function awaits the acquiring of a lock that is free, and releases it",
  measures: "time",
  peers: {
    async tsyncio() {
      const { Lock, run } = await import("tsyncio");
      async function main(n: number) {
        const lock = new Lock();
        for (let i = 0; i < n; i++) {
          await lock.acquire();
          lock.release();
        }
      }
      return (n) => run(() => main(n));
    },
    async native() {
      const { Mutex } = await import("./native/mutex.ts");
      return async (n) => {
        const mutex = new Mutex();
        for (let i = 0; i < n; i++) {
          await mutex.acquire();
          mutex.release();
        }
      };
    },
    async "async-mutex"() {
      const { Mutex } = await import("async-mutex");
      return async (n) => {
        const mutex = new Mutex();
        for (let i = 0; i < n; i++) {
          const release = await mutex.acquire();
          release();
        }
      };
    },
  },
};

export default workload;
