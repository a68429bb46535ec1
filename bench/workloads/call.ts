import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";

const workload: Workload = {
  name: "call",
  operation: "a call that does not suspend is awaited (tsyncio: `yield*` of a plain generator function)",
  measures: "time",
  peers: {
    async tsyncio() {
      const { run } = await import("tsyncio");
      function* one() {
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* one();
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      async function one() {
        return 1;
      }
      return async (n) => {
        let done = 0;
        for (let i = 0; i < n; i++) done += await one();
        did(done, n);
      };
    },
    async floor() {
      const { run } = await import("./floor/runtime.ts");
      function* one() {
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* one();
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      // The fastest of Effect's forms of a function: it runs at once, up to the first wait.
      const one = Effect.fnUntracedEager(function* () {
        return 1;
      });
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* one();
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run } = await import("effection");
      function* one() {
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* one();
        did(done, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      const one = Bluebird.coroutine(function* () {
        return 1;
      });
      const main = Bluebird.coroutine(function* (n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += (yield one()) as number;
        did(done, n);
      });
      return async (n) => {
        await main(n);
      };
    },
  },
};

export default workload;
