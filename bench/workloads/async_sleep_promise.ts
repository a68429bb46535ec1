import type { Workload } from "../src/workload.ts";
import asyncSleep from "./async_sleep.ts";

const { tsyncio } = asyncSleep.peers;

const workload: Workload = {
  name: "async_sleep_promise",
  operation: "as async_sleep, but native awaits a promise made for it, which a callback in the queue resolves",
  measures: "time",
  peers: {
    ...(tsyncio && { tsyncio }),
    async native() {
      const pass = () => new Promise<void>((resolve) => queueMicrotask(resolve));
      return async (n) => {
        for (let i = 0; i < n; i++) await pass();
      };
    },
  },
};

export default workload;
