import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type Coroutine, coroutine, createTask, getRunningLoop, type Operation, run, sleep, type Task } from "tsyncio";
import {
  abortable,
  fetchResponse,
  fromAsyncIterable,
  fromPromise,
  fromReadable,
  fromSignal,
  interval,
  on,
  once,
  readChunks,
  readFile,
  readLines,
  type Source,
  toAsyncIterable,
  toPromise,
  toReadable,
  toReadableStream,
  waitForSignal,
  withFile,
  writeAll,
  writeFileAtomic,
} from "tsyncio/interop";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "tsyncio-ambient-"));
const path = join(folder, "file");
writeFileSync(path, "one\ntwo\n");
afterAll(() => rmSync(folder, { recursive: true }));

const store = new AsyncLocalStorage<string>();
const here = (): string | undefined => store.getStore();

/** The first item of a source, which is closed then. */
const first = coroutine(function* <T>(source: Source<T>) {
  try {
    return yield* source.next();
  } finally {
    yield* source.close();
  }
});

/** What is waited for, and what ends the wait: called in the state of somebody else. */
interface Case {
  readonly wait: (note: () => void) => Operation<unknown>;
  readonly wake?: () => void;
}

/** Each operation of the entry; `note` is called in code of the user's that it runs. */
function cases(): Record<string, Case> {
  const emitter = new EventEmitter();
  const controller = new AbortController();
  let resolve: () => void = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  const stream = new PassThrough();
  const web = new TransformStream<string, string>();
  const writer = web.writable.getWriter();
  const slow = new PassThrough({ highWaterMark: 1 });
  const events = on(emitter, "many");
  return {
    "fromPromise of a promise": { wait: () => fromPromise(promise), wake: resolve },
    "fromPromise of a function": {
      wait: (note) =>
        fromPromise(async () => {
          note();
          await new Promise((settle) => setTimeout(settle, 1));
          note();
        }),
    },
    toPromise: {
      wait: (note) =>
        fromPromise(
          toPromise(function* () {
            note();
            yield* sleep(1);
            note();
          }),
        ),
    },
    fromSignal: { wait: () => fromSignal(controller.signal), wake: () => controller.abort() },
    abortable: {
      wait: (note) =>
        abortable(new AbortController().signal, async () => {
          note();
          await sleep(1);
          note();
        }),
    },
    once: { wait: () => once(emitter, "one"), wake: () => emitter.emit("one") },
    on: { wait: () => first(events), wake: () => emitter.emit("many") },
    fromAsyncIterable: {
      wait: (note) =>
        first(
          fromAsyncIterable(
            (async function* () {
              note();
              await sleep(1);
              note();
              yield 1;
            })(),
          ),
        ),
    },
    toAsyncIterable: {
      wait: (note) =>
        first(
          toAsyncIterable<number>(function* (emit) {
            note();
            yield* sleep(1);
            note();
            yield* emit(1);
          }),
        ),
    },
    "fromReadable of Node": { wait: () => first(fromReadable(stream)), wake: () => stream.end("x") },
    "fromReadable of the web": {
      wait: () => first(fromReadable(web.readable)),
      wake: () => void writer.write("x").catch(() => {}),
    },
    toReadable: {
      wait: (note) =>
        first(
          fromReadable(
            toReadable(
              toAsyncIterable<string>(function* (emit) {
                note();
                yield* emit("x");
              }),
            ),
          ),
        ),
    },
    toReadableStream: {
      wait: (note) =>
        first(
          fromReadable(
            toReadableStream(
              (function* () {
                note();
                yield "x";
              })(),
            ),
          ),
        ),
    },
    writeAll: { wait: () => writeAll(slow, ["aaa", "bbb"]), wake: () => void slow.resume() },
    fetchResponse: { wait: () => fetchResponse("data:text/plain,x") },
    readFile: { wait: () => readFile(path) },
    readLines: { wait: () => first(readLines(path)) },
    readChunks: { wait: () => first(readChunks(path)) },
    withFile: {
      wait: (note) =>
        withFile(path, "r", function* (file) {
          note();
          yield* file.read();
          note();
        }),
    },
    writeFileAtomic: { wait: () => writeFileAtomic(join(folder, "atomic"), "x") },
    waitForSignal: { wait: () => waitForSignal("SIGHUP"), wake: () => process.emit("SIGHUP") },
    interval: { wait: () => first(interval(1)) },
  };
}

for (const spelling of ["function*", "async"] as const) {
  test(`AsyncLocalStorage has the store of whoever made the task, across every operation, ${spelling} [real]`, async () => {
    const seen: Record<string, (string | undefined)[]> = {};

    const all = store.run("program", cases);
    for (const [name, { wait, wake }] of Object.entries(all)) {
      const stores: (string | undefined)[] = [];
      seen[name] = stores;
      const note = (): void => void stores.push(here());
      function* job(): Coroutine<void> {
        note();
        yield* wait(note);
        note();
        getRunningLoop().callSoon(note);
        yield* sleep(1);
        note();
      }
      const asyncJob = async (): Promise<void> => {
        note();
        await wait(note);
        note();
        getRunningLoop().callSoon(note);
        await sleep(1);
        note();
      };
      const ended = store.run("mine", () => run<void>(spelling === "async" ? asyncJob : job));
      const waker = setInterval(() => store.run("waker", () => wake?.()), 5);
      await ended;
      clearInterval(waker);
    }

    const wrong = Object.entries(seen).filter(([, stores]) => stores.length < 4 || stores.some((each) => each !== "mine"));
    expect(wrong).toEqual([]);
  });
}

test("AsyncLocalStorage gives two tasks of one loop each its own store, in streams that read each other [real]", async () => {
  const seen: (string | undefined)[] = [];

  const made = store.run("producer", () => {
    let task: Task<unknown> | null = null;
    const through = new PassThrough({ objectMode: true });
    task = createTask(function* () {
      for (let n = 0; n < 3; n++) {
        yield* writeAll(through, [n], { end: n === 2 });
        seen.push(here());
      }
    });
    return { task, through };
  });
  const consumer = store.run("consumer", () =>
    createTask(async () => {
      for await (const _ of fromReadable(made.through)) seen.push(here());
    }),
  );
  await made.task;
  await consumer;

  expect(seen.filter((each) => each === "producer")).toHaveLength(3);
  expect(seen.filter((each) => each === "consumer")).toHaveLength(3);
});
