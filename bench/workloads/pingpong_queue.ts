import type { Queue as EffectQueue } from "effect/Queue";
import type { Queue as EffectionQueue } from "effection";
import type { Queue } from "tsyncio";
import type { Workload } from "../src/workload.ts";
import type { Queue as FloorQueue } from "./floor/sync.ts";
import type { BoundedQueue } from "./native/bounded-queue.ts";
import { did } from "./support/did.ts";

const workload: Workload = {
  name: "pingpong_queue",
  operation: "two tasks hand a token to each other through two queues of one place (effection: unbounded); a round trip",
  measures: "time",
  peers: {
    async tsyncio() {
      const { createTask, Queue, run } = await import("tsyncio");
      function* pong(toPong: Queue<number>, toPing: Queue<number>, n: number) {
        for (let i = 0; i < n; i++) {
          const token = yield* toPong.get();
          yield* toPing.put(token + 1);
        }
      }
      function* main(n: number) {
        const toPing = new Queue<number>(1);
        const toPong = new Queue<number>(1);
        const other = createTask(pong(toPong, toPing, n));
        let token = 0;
        for (let i = 0; i < n; i++) {
          yield* toPong.put(token);
          token = yield* toPing.get();
        }
        yield* other;
        did(token, n);
      }
      return (n) => run(main(n));
    },
    async native() {
      const { BoundedQueue } = await import("./native/bounded-queue.ts");
      async function pong(toPong: BoundedQueue<number>, toPing: BoundedQueue<number>, n: number) {
        for (let i = 0; i < n; i++) {
          const token = await toPong.get();
          await toPing.put(token + 1);
        }
      }
      return async (n) => {
        const toPing = new BoundedQueue<number>(1);
        const toPong = new BoundedQueue<number>(1);
        const other = pong(toPong, toPing, n);
        let token = 0;
        for (let i = 0; i < n; i++) {
          await toPong.put(token);
          token = await toPing.get();
        }
        await other;
        did(token, n);
      };
    },
    async floor() {
      const { run, Task } = await import("./floor/runtime.ts");
      const { Queue } = await import("./floor/sync.ts");
      function* pong(toPong: FloorQueue<number>, toPing: FloorQueue<number>, n: number) {
        for (let i = 0; i < n; i++) {
          const token = yield* toPong.get();
          yield* toPing.put(token + 1);
        }
      }
      function* main(n: number) {
        const toPing = new Queue<number>(1);
        const toPong = new Queue<number>(1);
        const other = new Task(pong(toPong, toPing, n));
        let token = 0;
        for (let i = 0; i < n; i++) {
          yield* toPong.put(token);
          token = yield* toPing.get();
        }
        yield* other;
        did(token, n);
      }
      return (n) => run(main(n));
    },
    async effect() {
      const Effect = await import("effect/Effect");
      const Fiber = await import("effect/Fiber");
      const Queue = await import("effect/Queue");
      const pong = Effect.fnUntraced(function* (toPong: EffectQueue<number>, toPing: EffectQueue<number>, n: number) {
        for (let i = 0; i < n; i++) {
          const token = yield* Queue.take(toPong);
          yield* Queue.offer(toPing, token + 1);
        }
      });
      const main = Effect.fnUntraced(function* (n: number) {
        const toPing = yield* Queue.bounded<number>(1);
        const toPong = yield* Queue.bounded<number>(1);
        const other = yield* Effect.forkChild(pong(toPong, toPing, n));
        let token = 0;
        for (let i = 0; i < n; i++) {
          yield* Queue.offer(toPong, token);
          token = yield* Queue.take(toPing);
        }
        yield* Fiber.join(other);
        did(token, n);
      });
      return (n) => Effect.runPromise(main(n));
    },
    async effection() {
      const { createQueue, run, spawn } = await import("effection");
      function* pong(toPong: EffectionQueue<number, never>, toPing: EffectionQueue<number, never>, n: number) {
        for (let i = 0; i < n; i++) {
          const { value } = yield* toPong.next();
          toPing.add(value + 1);
        }
      }
      function* main(n: number) {
        const toPing = createQueue<number, never>();
        const toPong = createQueue<number, never>();
        const other = yield* spawn(() => pong(toPong, toPing, n));
        let token = 0;
        for (let i = 0; i < n; i++) {
          toPong.add(token);
          token = (yield* toPing.next()).value;
        }
        yield* other;
        did(token, n);
      }
      return async (n) => {
        await run(() => main(n));
      };
    },
  },
};

export default workload;
