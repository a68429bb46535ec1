import type { Workload } from "../src/workload.ts";

// Here as in all workloads, generator functions are made once, not in each call of the Run: V8 gives the generators of every
// function object a hidden class of their own, which takes it about 2 µs, and makes whatever resumes them megamorphic.
const workload: Workload = {
  name: "switch",
  operation: "a task suspends and goes on, with nothing else to do",
  measures: "time",
  peers: {
    async tsyncio() {
      const { run, sleep } = await import("tsyncio");
      function* main(n: number) {
        for (let i = 0; i < n; i++) yield* sleep(0);
      }
      return (n) => run(main(n));
    },
    async native() {
      return async (n) => {
        for (let i = 0; i < n; i++) await null;
      };
    },
    async floor() {
      const { run, sleep } = await import("./floor/runtime.ts");
      function* main(n: number) {
        for (let i = 0; i < n; i++) yield* sleep(0);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const main = Effect.fnUntraced(function* (n: number) {
        for (let i = 0; i < n; i++) yield* Effect.yieldNow;
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run } = await import("effection");
      const { pass } = await import("./support/effection.ts");
      function* main(n: number) {
        for (let i = 0; i < n; i++) yield* pass;
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      const fulfilled = Bluebird.resolve();
      const main = Bluebird.coroutine(function* (n: number) {
        for (let i = 0; i < n; i++) yield fulfilled;
      });
      return async (n) => {
        await main(n);
      };
    },
  },
};

export default workload;
