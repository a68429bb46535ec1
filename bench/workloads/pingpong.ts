import type Bluebird from "bluebird";
import type { Deferred } from "effect/Deferred";
import type { WithResolvers } from "effection";
import type { Future } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import type { Future as FloorFuture } from "./floor/runtime.ts";
import { did } from "./support/did.ts";

const nobody = () => {};

/** What each of the two waits for: a future, a promise with its resolver, … */
interface Table<Wait> {
  ping: Wait;
  pong: Wait;
}

// All peers have the same shape: a player makes what it is going to wait for, wakes the other one, and waits. No wake-up is lost.
const workload: Workload = {
  name: "pingpong",
  operation:
    "two tasks wake each other in turn, each by a future or promise made for that one wait; a round trip, of two wake-ups",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Future, run } = await import("tsyncio");
      function* pong(table: Table<Future<void>>, n: number) {
        let done = 0;
        for (; done < n; done++) {
          yield* table.pong;
          table.pong = new Future();
          table.ping.setResult();
        }
        return done;
      }
      function* main(n: number) {
        const table = { ping: new Future<void>(), pong: new Future<void>() };
        const other = createTask(pong(table, n));
        for (let i = 0; i < n; i++) {
          table.ping = new Future();
          table.pong.setResult();
          yield* table.ping;
        }
        did(yield* other, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      class Wait {
        wake = nobody;
        readonly promise = new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      async function pong(table: Table<Wait>, n: number) {
        let done = 0;
        for (; done < n; done++) {
          await table.pong.promise;
          table.pong = new Wait();
          table.ping.wake();
        }
        return done;
      }
      return async (n) => {
        const table = { ping: new Wait(), pong: new Wait() };
        const other = pong(table, n);
        for (let i = 0; i < n; i++) {
          table.ping = new Wait();
          table.pong.wake();
          await table.ping.promise;
        }
        did(await other, n);
      };
    },
    async floor() {
      const { Future, run, Task } = await import("./floor/runtime.ts");
      function* pong(table: Table<FloorFuture<void>>, n: number) {
        let done = 0;
        for (; done < n; done++) {
          yield* table.pong;
          table.pong = new Future();
          table.ping.setResult();
        }
        return done;
      }
      function* main(n: number) {
        const table = { ping: new Future<void>(), pong: new Future<void>() };
        const other = new Task(pong(table, n));
        for (let i = 0; i < n; i++) {
          table.ping = new Future();
          table.pong.setResult();
          yield* table.ping;
        }
        did(yield* other, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const { await: wait, doneUnsafe, makeUnsafe } = await import("effect/Deferred");
      const Exit = await import("effect/Exit");
      const Fiber = await import("effect/Fiber");
      const pong = Effect.fnUntraced(function* (table: Table<Deferred<void>>, n: number) {
        let done = 0;
        for (; done < n; done++) {
          yield* wait(table.pong);
          table.pong = makeUnsafe();
          doneUnsafe(table.ping, Exit.void);
        }
        return done;
      });
      const main = Effect.fnUntraced(function* (n: number) {
        const table = { ping: makeUnsafe<void>(), pong: makeUnsafe<void>() };
        const other = yield* Effect.forkChild(pong(table, n));
        for (let i = 0; i < n; i++) {
          table.ping = makeUnsafe();
          doneUnsafe(table.pong, Exit.void);
          yield* wait(table.ping);
        }
        did(yield* Fiber.join(other), n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { run, spawn, withResolvers } = await import("effection");
      function* pong(table: Table<WithResolvers<void>>, n: number) {
        let done = 0;
        for (; done < n; done++) {
          yield* table.pong.operation;
          table.pong = withResolvers();
          table.ping.resolve();
        }
        return done;
      }
      function* main(n: number) {
        const table = { ping: withResolvers<void>(), pong: withResolvers<void>() };
        const other = yield* spawn(() => pong(table, n));
        for (let i = 0; i < n; i++) {
          table.ping = withResolvers();
          table.pong.resolve();
          yield* table.ping.operation;
        }
        did(yield* other, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
    async bluebird() {
      const { default: Bluebird } = await import("bluebird");
      class Wait {
        wake = nobody;
        readonly promise: Bluebird<void> = new Bluebird<void>((resolve) => {
          this.wake = resolve;
        });
      }
      const pong = Bluebird.coroutine(function* (table: Table<Wait>, n: number) {
        let done = 0;
        for (; done < n; done++) {
          yield table.pong.promise;
          table.pong = new Wait();
          table.ping.wake();
        }
        return done;
      });
      const main = Bluebird.coroutine(function* (n: number) {
        const table = { ping: new Wait(), pong: new Wait() };
        const other = pong(table, n);
        for (let i = 0; i < n; i++) {
          table.ping = new Wait();
          table.pong.wake();
          yield table.ping.promise;
        }
        did((yield other) as number, n);
      });
      return async (n) => {
        await main(n);
      };
    },
  },
};

export default workload;
