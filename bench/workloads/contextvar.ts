import type { Workload } from "../src/workload.ts";
import { did } from "./support/did.ts";

const workload: Workload = {
  name: "contextvar",
  operation: "a task gives a context variable a value and reads it twice (native: AsyncLocalStorage `run`, 2 × `getStore`)",
  measures: "time",
  peers: {
    async tsyncio() {
      const { ContextVar, run } = await import("tsyncio");
      const user = new ContextVar<number>("user");
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) {
          user.set(i);
          if (user.get() === i && user.get() === i) done++;
        }
        did(done, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      const { AsyncLocalStorage } = await import("node:async_hooks");
      const user = new AsyncLocalStorage<number>();
      const isUser = (i: number) => user.getStore() === i && user.getStore() === i;
      return (n) => {
        let done = 0;
        for (let i = 0; i < n; i++) if (user.run(i, isUser, i)) done++;
        did(done, n);
      };
    },
    async effect() {
      const Context = await import("effect/Context");
      const Effect = await import("effect/Effect");
      const User = Context.Reference<number>("user", { defaultValue: () => 0 });
      const isUser = Effect.fnUntraced(function* (i: number) {
        return (yield* User) === i && (yield* User) === i;
      });
      const main = Effect.fnUntraced(function* (n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) if (yield* Effect.provideService(isUser(i), User, i)) done++;
        did(done, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { createContext, run } = await import("effection");
      const user = createContext<number>("user");
      function* main(n: number) {
        let done = 0;
        for (let i = 0; i < n; i++) {
          yield* user.set(i);
          if ((yield* user.expect()) === i && (yield* user.expect()) === i) done++;
        }
        did(done, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
  },
};

export default workload;
