/** What the compiler must infer, and what it must refuse: checked by `tsc -b`, which `npm test` runs first. */

import {
  asCompleted,
  type Coroutine,
  coroutine,
  createTask,
  ensureFuture,
  Future,
  type Guard,
  gather,
  Lock,
  moveOnAfter,
  type Operation,
  PriorityQueue,
  Queue,
  run,
  shield,
  sleep,
  type Task,
  taskGroup,
  timeout,
  wait,
  waitFor,
} from "tsyncio";
import { expectTypeOf, test } from "vitest";

function* numbers(): Coroutine<number> {
  yield* sleep(1);
  return 1;
}
function* inferred() {
  const word = yield* sleep(1, "word");
  expectTypeOf(word).toEqualTypeOf<string>();
  return word;
}
const asyncBoolean = async (): Promise<boolean> => true;

/** Never called: only its types count. */
export function* programs(): Coroutine<void> {
  // Inference through yield*.
  expectTypeOf(yield* numbers()).toEqualTypeOf<number>();
  expectTypeOf(yield* inferred()).toEqualTypeOf<string>();
  expectTypeOf(yield* sleep("1s")).toEqualTypeOf<void>();
  expectTypeOf(yield* new Lock().acquire()).toEqualTypeOf<Guard>();
  expectTypeOf(yield* new Queue<Date>().get()).toEqualTypeOf<Date>();
  expectTypeOf(yield* ensureFuture(Promise.resolve("p"))).toEqualTypeOf<string>();
  expectTypeOf(yield* createTask(asyncBoolean)).toEqualTypeOf<boolean>();
  expectTypeOf(createTask(numbers)).toEqualTypeOf<Task<number>>();
  expectTypeOf(createTask(numbers())).toEqualTypeOf<Task<number>>();

  // gather: the tuple of its jobs.
  expectTypeOf(yield* gather(numbers(), inferred(), asyncBoolean, Promise.resolve(null))).toEqualTypeOf<
    [number, string, boolean, null]
  >();
  expectTypeOf(yield* gather([numbers(), sleep(1, "x")])).toEqualTypeOf<[number, string]>();
  expectTypeOf(yield* gather([numbers(), inferred()], { returnExceptions: true })).toEqualTypeOf<
    [number | Error, string | Error]
  >();
  const many: Coroutine<number>[] = [numbers()];
  expectTypeOf(yield* gather(many)).toEqualTypeOf<number[]>();
  expectTypeOf(yield* gather(...many)).toEqualTypeOf<number[]>();

  // Bodies in both spellings.
  expectTypeOf(yield* timeout(1, numbers)).toEqualTypeOf<number>();
  expectTypeOf(yield* timeout("1s", asyncBoolean)).toEqualTypeOf<boolean>();
  expectTypeOf(
    yield* timeout(1, function* (scope) {
      return scope.when();
    }),
  ).toEqualTypeOf<number>();
  expectTypeOf(yield* taskGroup(async (group) => group.createTask(numbers).name)).toEqualTypeOf<string>();
  expectTypeOf(yield* moveOnAfter(1, numbers)).toEqualTypeOf<{ timedOut: boolean; value: number | undefined }>();
  expectTypeOf(yield* waitFor(numbers(), 1)).toEqualTypeOf<number>();
  expectTypeOf(yield* waitFor(asyncBoolean, 1)).toEqualTypeOf<boolean>();
  expectTypeOf(yield* shield(numbers())).toEqualTypeOf<number>();
  expectTypeOf(run(numbers)).toEqualTypeOf<Promise<number>>();
  expectTypeOf(run(asyncBoolean)).toEqualTypeOf<Promise<boolean>>();

  // wait and asCompleted keep the futures they were given.
  const task = createTask(numbers);
  const { done } = yield* wait([task]);
  expectTypeOf(done).toEqualTypeOf<Set<Task<number>>>();
  for (const next of asCompleted([numbers(), inferred()])) expectTypeOf(yield* next).toEqualTypeOf<number | string>();

  // coroutine() keeps arguments, `this`, and type parameters.
  const wrapped = coroutine(function* (n: number, word: string = "w") {
    yield* sleep(n);
    return word;
  });
  expectTypeOf(wrapped).parameters.toEqualTypeOf<[n: number, word?: string | undefined]>();
  expectTypeOf(yield* wrapped(1)).toEqualTypeOf<string>();
  const generic = coroutine(function* <T>(value: T): Coroutine<T> {
    yield* sleep(0);
    return value;
  });
  expectTypeOf(generic("text")).toEqualTypeOf<Operation<string>>();
  expectTypeOf(generic(5)).toEqualTypeOf<Operation<number>>();

  const tuples = new PriorityQueue<[number, string]>();
  expectTypeOf(yield* tuples.get()).toEqualTypeOf<[number, string]>();
}

export async function asyncPrograms(): Promise<void> {
  expectTypeOf(await sleep(1, "word")).toEqualTypeOf<string>();
  expectTypeOf(await gather(numbers(), asyncBoolean)).toEqualTypeOf<[number, boolean]>();
  expectTypeOf(await createTask(numbers)).toEqualTypeOf<number>();
  for await (const future of asCompleted([createTask(numbers)])) expectTypeOf(future).toEqualTypeOf<Task<number>>();
  for await (const item of new Queue<Date>()) expectTypeOf(item).toEqualTypeOf<Date>();
}

/** Misuse that must not compile. */
export function* refused(): Coroutine<void> {
  // @ts-expect-error the star is missing
  yield sleep(1);
  // @ts-expect-error the star is missing
  yield new Future<number>();
  // @ts-expect-error a promise is not yielded
  yield Promise.resolve(1);
  // @ts-expect-error a promise has no yield*
  yield* Promise.resolve(1);
  // @ts-expect-error a unit that does not exist
  yield* sleep("1 fortnight");
  // @ts-expect-error no unit
  yield* sleep("100");
  // @ts-expect-error a body is a function
  yield* timeout(1, numbers());
  // @ts-expect-error not a job
  createTask(5);
  // @ts-expect-error an async function needs no wrapper
  coroutine(async () => {});
  // @ts-expect-error the queue holds dates
  yield* new Queue<Date>().put("today");
  // @ts-expect-error an argument of the wrapped function is missing
  coroutine(function* (n: number) {
    return n;
  })();
}

// @ts-expect-error a coroutine yields only suspensions
export const notACoroutine: Coroutine<void> = (function* () {
  yield 1;
})();

test("types are what tsc says: this file compiles", () => {
  expectTypeOf(programs).toBeFunction();
});
