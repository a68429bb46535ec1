import type { Workload } from "../src/workload.ts";
import call from "./call.ts";
import { did } from "./support/did.ts";

const { native } = call.peers;

const workload: Workload = {
  name: "call_wrapped",
  operation: "as call, but tsyncio's function is wrapped by `coroutine()`; native is the same as there",
  measures: "time",
  peers: {
    async tsyncio() {
      const { coroutine, run } = await import("tsyncio");
      const one = coroutine(function* one() {
        return 1;
      });
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* one();
        did(done, n);
      }
      return (n) => run(main(n));
    },
    ...(native && { native }),
  },
};

export default workload;
