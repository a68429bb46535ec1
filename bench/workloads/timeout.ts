import type { Operation } from "effection";
import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";

const LIMIT = 10_000;

const workload: Workload = {
  name: "timeout",
  operation: "a body that suspends once is run under a timeout of 10 s",
  measures: "time",
  peers: {
    async tsyncio() {
      const { run, sleep, timeout } = await import("tsyncio");
      function* body() {
        yield* sleep(0);
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* timeout("10s", body);
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      async function body() {
        await null;
        return 1;
      }
      async function timeout<T>(milliseconds: number, work: Promise<T>): Promise<T> {
        let timer: NodeJS.Timeout | undefined;
        const expiry = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error("the time limit passed")), milliseconds);
        });
        try {
          return await Promise.race([work, expiry]);
        } finally {
          clearTimeout(timer);
        }
      }
      return async (n) => {
        let done = 0;
        for (let i = 0; i < n; i++) done += await timeout(LIMIT, body());
        did(done, n);
      };
    },
    async floor() {
      const { run, sleep, timeout } = await import("./floor/runtime.ts");
      function* body() {
        yield* sleep(0);
        return 1;
      }
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* timeout(LIMIT, body());
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const body = () => Effect.as(Effect.yieldNow, 1);
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* Effect.timeout(body(), LIMIT);
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { race, run, sleep } = await import("effection");
      const { pass } = await import("./support/effection.ts");
      function* body() {
        yield* pass;
        return 1;
      }
      function* expiry(): Operation<never> {
        yield* sleep(LIMIT);
        throw new Error("the time limit passed");
      }
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += yield* race([body(), expiry()]);
        did(done, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      const fulfilled = Bluebird.resolve();
      const body = Bluebird.coroutine(function* () {
        yield fulfilled;
        return 1;
      });
      const main = Bluebird.coroutine(function* (n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) done += (yield body().timeout(LIMIT)) as number;
        did(done, n);
      });
      return async (n) => {
        await main(n);
      };
    },
    async rxjs() {
      const { asapScheduler, lastValueFrom, scheduled, timeout } = await import("rxjs");
      return async (n) => {
        let done = 0;
        for (let i = 0; i < n; i++) done += await lastValueFrom(scheduled([1], asapScheduler).pipe(timeout(LIMIT)));
        did(done, n);
      };
    },
  },
};

export default workload;
