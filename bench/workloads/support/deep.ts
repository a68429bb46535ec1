import type { Coroutine, Operation } from "tsyncio";
import type { Workload } from "../../src/workload.ts";
import type { Awaitable, Coroutine as FloorCoroutine } from "../floor/runtime.ts";

/** A leaf that suspends n times, under so many nested calls. */
export function deep(depth: number): Workload {
  return {
    name: `deep${depth}`,
    operation: `a task suspends and goes on, ${depth} calls deep (tsyncio: calls wrapped by \`coroutine()\`)`,
    measures: "time",
    peers: {
      async tsyncio() {
        const { coroutine, run, sleep } = await import("tsyncio");
        const leaf = coroutine(function* leaf(n: number) {
          for (let i = 0; i < n; i++) yield* sleep(0);
        });
        const nest: (levels: number, n: number) => Operation<void> = coroutine(function* nest(
          levels: number,
          n: number,
        ): Coroutine<void> {
          if (levels === 1) yield* leaf(n);
          else yield* nest(levels - 1, n);
        });
        return (n) => run(nest(depth, n));
      },
      async native() {
        async function leaf(n: number) {
          for (let i = 0; i < n; i++) await null;
        }
        async function nest(levels: number, n: number): Promise<void> {
          if (levels === 1) await leaf(n);
          else await nest(levels - 1, n);
        }
        return (n) => nest(depth, n);
      },
      async floor() {
        const { coroutine, run, sleep } = await import("../floor/runtime.ts");
        const leaf = coroutine(function* leaf(n: number) {
          for (let i = 0; i < n; i++) yield* sleep(0);
        });
        const nest: (levels: number, n: number) => Awaitable<void> = coroutine(function* nest(
          levels: number,
          n: number,
        ): FloorCoroutine<void> {
          if (levels === 1) yield* leaf(n);
          else yield* nest(levels - 1, n);
        });
        function* main(n: number) {
          yield* nest(depth, n);
        }
        return (n) => run(main(n));
      },
      async effect() {
        const Effect = await import("effect/Effect");
        const leaf = Effect.fnUntraced(function* (n: number) {
          for (let i = 0; i < n; i++) yield* Effect.yieldNow;
        });
        const nest: (levels: number, n: number) => import("effect/Effect").Effect<void> = Effect.fnUntraced(function* (
          levels: number,
          n: number,
        ) {
          if (levels === 1) yield* leaf(n);
          else yield* nest(levels - 1, n);
        });
        return (n) => Effect.runPromise(nest(depth, n));
      },
      async effection() {
        const { run } = await import("effection");
        const { pass } = await import("./effection.ts");
        type Calls = Generator<import("effection").Effect<unknown>, void, unknown>;
        function* leaf(n: number): Calls {
          for (let i = 0; i < n; i++) yield* pass as Calls;
        }
        function* nest(levels: number, n: number): Calls {
          if (levels === 1) yield* leaf(n);
          else yield* nest(levels - 1, n);
        }
        return async (n) => {
          await run(() => nest(depth, n));
        };
      },
      async bluebird() {
        const { default: Bluebird } = await import("bluebird");
        const fulfilled = Bluebird.resolve();
        const leaf = Bluebird.coroutine(function* (n: number) {
          for (let i = 0; i < n; i++) yield fulfilled;
        });
        const nest: (levels: number, n: number) => PromiseLike<void> = Bluebird.coroutine(function* (
          levels: number,
          n: number,
        ) {
          if (levels === 1) yield leaf(n);
          else yield nest(levels - 1, n);
        });
        return async (n) => {
          await nest(depth, n);
        };
      },
    },
  };
}
