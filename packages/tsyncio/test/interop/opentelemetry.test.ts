import { EventEmitter } from "node:events";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { createTask, gather, Queue, run, sleep, taskGroup, timeout } from "tsyncio";
import { abortable, fromAsyncIterable, fromPromise, once } from "tsyncio/interop";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

// What a span is needs no SDK: that is the context's matter, which its manager keeps.

/** Each as `name of the active span > what was noted`. */
let notes: string[] = [];
const names: string[] = [];

beforeAll(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
beforeEach(() => {
  notes = [];
});
afterAll(() => context.disable());

/** Notes under which span it is called. */
function note(what: string): void {
  const id = trace.getActiveSpan()?.spanContext().spanId;
  notes.push(`${id === undefined ? "-" : names[Number.parseInt(id, 16) - 1]} > ${what}`);
}

/** Runs a function in a span of its own. */
function inSpan<T>(name: string, fn: () => T): T {
  names.push(name);
  const spanId = names.length.toString(16).padStart(16, "0");
  const span = trace.wrapSpanContext({ traceId: spanId + spanId, spanId, traceFlags: 1 });
  return context.with(trace.setSpan(context.active(), span), fn);
}

test("OpenTelemetry's active span is that of whoever started the program, in all of its tasks [real]", async () => {
  const emitter = new EventEmitter();

  await Promise.all(
    ["a", "b"].map((name) =>
      inSpan(name, () =>
        run(async () => {
          const queue = new Queue<number>();
          await taskGroup(async (group) => {
            group.createTask(function* () {
              yield* sleep(1);
              note(`${name} coroutine`);
              yield* queue.put(1);
            });
            group.createTask(async () => {
              await queue.get();
              note(`${name} async`);
              emitter.emit(name);
            });
            group.createTask(function* () {
              yield* once(emitter, name);
              note(`${name} event`);
              yield* timeout("1s", () => fromPromise(new Promise((resolve) => setTimeout(resolve, 1))));
              note(`${name} promise`);
            });
          });
        }),
      ),
    ),
  );

  const expected = ["a", "b"].flatMap((name) => [
    ...["async", "coroutine", "event", "promise"].map((each) => `${name} > ${name} ${each}`),
  ]);
  expect(notes.sort()).toEqual(expected.sort());
});

test("OpenTelemetry's active span is kept in what an async function awaits, span by span [real]", async () => {
  await run(async () => {
    await gather(
      ...["x", "y"].map(
        (name) => () =>
          inSpan(name, async () => {
            await sleep(1);
            note(`${name} slept`);
            await abortable(new AbortController().signal, async () => {
              await sleep(1);
              note(`${name} body`);
            });
            for await (const _ of fromAsyncIterable([1, 2])) note(`${name} item`);
            await fromPromise(async () => {
              await sleep(1);
              note(`${name} function`);
            });
          }),
      ),
    );
  });

  const expected = ["x", "y"].flatMap((name) => [
    ...["body", "function", "item", "item", "slept"].map((each) => `${name} > ${name} ${each}`),
  ]);
  expect(notes.sort()).toEqual(expected.sort());
});

test("OpenTelemetry's active span of a task on the default loop is that of its maker, whoever wakes it [real]", async () => {
  const emitter = new EventEmitter();

  const made = inSpan("maker", () =>
    createTask(function* () {
      yield* once(emitter, "go");
      note("task");
    }),
  );
  await sleep(1);
  inSpan("waker", () => emitter.emit("go"));
  await made;

  expect(notes).toEqual(["maker > task"]);
});
