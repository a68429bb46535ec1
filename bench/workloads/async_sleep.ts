import type { Workload } from "../src/workload.ts";
import suspending from "./switch.ts";

const { native } = suspending.peers;

const workload: Workload = {
  name: "async_sleep",
  operation: "as switch, in an async function: tsyncio `await sleep(0)`, native `await null`",
  measures: "time",
  peers: {
    async tsyncio() {
      const { run, sleep } = await import("tsyncio");
      async function main(n: number) {
        for (let i = 0; i < n; i++) await sleep(0);
      }
      return (n) => run(() => main(n));
    },
    ...(native && { native }),
  },
};

export default workload;
