import type { Coroutine } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import { deep } from "./support/deep.ts";

const DEPTH = 10;

const { native } = deep(DEPTH).peers;

const workload: Workload = {
  name: "deep10_plain",
  operation:
    "as deep10, but tsyncio's calls are those of plain generator functions; the other peers, which know one form, stand there",
  measures: "time",
  peers: {
    async tsyncio() {
      const { run, sleep } = await import("tsyncio");
      function* leaf(n: number) {
        for (let i = 0; i < n; i++) yield* sleep(0);
      }
      function* nest(levels: number, n: number): Coroutine<void> {
        if (levels === 1) yield* leaf(n);
        else yield* nest(levels - 1, n);
      }
      return (n) => run(nest(DEPTH, n));
    },
    ...(native && { native }),
  },
};

export default workload;
