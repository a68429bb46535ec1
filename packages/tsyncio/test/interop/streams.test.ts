import { once as nodeOnce } from "node:events";
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { createTask, isCancelled, run, sleep } from "tsyncio";
import { fetchResponse, fromReadable, toAsyncIterable, toReadable, toReadableStream, writeAll } from "tsyncio/interop";
import { afterAll, expect, test } from "vitest";
import { outcome } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "tsyncio-streams-"));
afterAll(() => rmSync(folder, { recursive: true }));

const count = (stream: Readable | Writable): number =>
  stream.eventNames().reduce((sum, name) => sum + stream.listenerCount(name), 0);

/** Lets the host's callbacks run until a condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

for (const spelling of ["function*", "async"] as const) {
  test(`fromReadable() gives all bytes of a file stream, and leaves no listener, ${spelling} [real]`, async () => {
    const path = join(folder, `read-${spelling.length}`);
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    writeFileSync(path, content);
    const stream = createReadStream(path);
    const chunks: Uint8Array[] = [];

    await run(
      spelling === "async"
        ? async () => {
            for await (const chunk of fromReadable(stream)) chunks.push(chunk);
          }
        : function* () {
            const source = fromReadable(stream);
            for (let step = yield* source.next(); step.done !== true; step = yield* source.next()) chunks.push(step.value);
          },
    );

    expect(Buffer.concat(chunks).equals(content)).toBe(true);
    expect(count(stream)).toBe(0);
  });
}

for (const way of ["break", "throw", "cancel"] as const) {
  test(`fromReadable() destroys the stream and awaits that, by ${way} [real]`, async () => {
    const log: string[] = [];
    const stream = new Readable({
      read() {},
      destroy: (_, callback) => {
        setTimeout(() => {
          log.push("destroyed");
          callback(null);
        }, 5);
      },
    });
    stream.push("a");
    const before = count(stream);

    await run(async () => {
      const task = createTask(async () => {
        for await (const _ of fromReadable(stream)) {
          if (way === "break") break;
          if (way === "throw") throw new Error("thrown");
        }
      });
      await sleep(5);
      if (way === "cancel") task.cancel();
      await task.join();
      log.push("ended");
    });

    expect(log).toEqual(["destroyed", "ended"]);
    expect(count(stream)).toBe(before);
  });
}

test("fromReadable() throws the stream's error, and tells of one that was destroyed early [real]", async () => {
  const bad = new Error("bad");

  const seen = await run(async () => {
    const failing = new Readable({ read() {} });
    const waiting = outcome(fromReadable(failing).next());
    await sleep(1);
    failing.destroy(bad);
    const early = new Readable({ read() {} });
    const other = outcome(fromReadable(early).next());
    await sleep(1);
    early.destroy();
    const errors = [await waiting, await other];
    const failed = new ReadableStream({ start: (controller) => controller.error(bad) });
    return [...errors, await outcome(fromReadable(failed).next()), failed.locked, count(failing), count(early)];
  });

  expect(seen).toEqual([bad, expect.objectContaining({ code: "STREAM_DESTROYED" }), bad, false, 0, 0]);
});

test("fromReadable() loses no chunk, when waits for it are cancelled [real]", async () => {
  const node = new PassThrough({ objectMode: true });
  let enqueue: (value: number) => void = () => {};
  const web = new ReadableStream<number>({
    start: (controller) => {
      enqueue = (value) => controller.enqueue(value);
    },
  });

  const seen = await run(async () => {
    const got: unknown[] = [];
    for (const [source, put] of [
      [fromReadable<number>(node), (n: number) => void node.write(n)],
      [fromReadable<number>(web), (n: number) => enqueue(n)],
    ] as const) {
      const cancelled = createTask(source.next());
      await sleep(1);
      put(1);
      await new Promise((resolve) => setImmediate(resolve));
      await cancelled.cancelAndWait();
      put(2);
      if (!cancelled.cancelled()) got.push(cancelled.result().value);
      else got.push((await source.next()).value);
      got.push((await source.next()).value);
      await source.close();
    }
    return got;
  });

  expect(seen).toEqual([1, 2, 1, 2]);
  expect([node.destroyed, web.locked]).toEqual([true, false]);
});

test("fromReadable() cancels a web stream and frees it, when it is closed [real]", async () => {
  let reason: unknown = "none";
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue("x"),
    cancel: (given) => {
      reason = given;
    },
  });

  await run(async () => {
    for await (const _ of fromReadable(stream)) break;
  });

  expect([reason, stream.locked]).toEqual([undefined, false]);
  expect(() => fromReadable(5 as never)).toThrow(TypeError);
  stream.getReader();
  expect(() => fromReadable(stream)).toThrow("reader already");
});

for (const kind of ["toReadable", "toReadableStream"] as const) {
  const make = (items: Iterable<unknown> | AsyncIterable<unknown>) =>
    kind === "toReadable" ? toReadable(items, { highWaterMark: 1 }) : toReadableStream(items);
  const reading = (stream: ReturnType<typeof make>) => fromReadable<unknown>(stream as Readable);

  test(`${kind}() takes items only as fast as it is read [real]`, async () => {
    let taken = 0;
    function* endless() {
      for (;;) yield ++taken;
    }

    const seen = await run(async () => {
      const source = reading(make(endless()));
      await sleep(5);
      const first = taken;
      await source.next();
      await source.next();
      await sleep(5);
      const second = taken;
      await source.close();
      return [first <= 1, second <= 5];
    });

    expect(seen).toEqual([true, true]);
  });

  test(`${kind}() cancels its items and awaits their cleanup, when the reader goes [real]`, async () => {
    const log: string[] = [];

    await run(async () => {
      const items = toAsyncIterable<string>(function* (emit) {
        try {
          yield* emit("a");
          yield* sleep("1h");
        } finally {
          yield* sleep(5);
          log.push("clean");
        }
      });
      const source = reading(make(items));
      expect((await source.next()).value).toBe("a");
      const pending = createTask(source.next());
      await sleep(5);
      await source.close();
      log.push("closed");
      expect((await pending).done).toBe(true);
    });

    expect(log).toEqual(["clean", "closed"]);
  });

  test(`${kind}() hands the error of its items on [real]`, async () => {
    const bad = new Error("bad");

    const seen = await run(async () => {
      const source = reading(
        make(
          (function* () {
            yield "a";
            throw bad;
          })(),
        ),
      );
      return [await outcome(source.next()), await outcome(source.next())];
    });

    expect(seen[1]).toBe(bad);
  });
}

test("writeAll() writes all with back-pressure, ends the stream, and leaves no listener [real]", async () => {
  const path = join(folder, "written");
  let ahead = 0;
  let most = 0;
  const slow = new Writable({
    objectMode: true,
    highWaterMark: 2,
    write: (_chunk, _encoding, callback) => {
      setImmediate(() => {
        ahead--;
        callback();
      });
    },
  });
  function* items() {
    for (let n = 0; n < 50; n++) {
      most = Math.max(most, ++ahead);
      yield n;
    }
  }
  const file = createWriteStream(path);

  await run(function* () {
    yield* writeAll(slow, items());
    yield* writeAll(file, ["one\n", "two\n"]);
  });

  expect(most).toBeLessThanOrEqual(3);
  expect([slow.writableFinished, count(slow)]).toEqual([true, 0]);
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  expect(count(file)).toBe(0);
});

test("writeAll() leaves the stream open in every way out, by `end: false` [real]", async () => {
  const stream = new PassThrough();

  await run(async () => {
    await writeAll(stream, ["a"], { end: false });
    const task = createTask(
      writeAll(
        stream,
        toAsyncIterable(() => sleep("1h")),
        { end: false },
      ),
    );
    await sleep(5);
    await task.cancelAndWait();
    await writeAll(stream, ["b"]);
  });

  expect(String(stream.read())).toBe("ab");
});

for (const kind of ["node", "web"] as const) {
  const sink = (write: () => void | Promise<void>, log: string[]) =>
    kind === "node"
      ? new Writable({
          objectMode: true,
          write: (_chunk, _encoding, callback) =>
            void Promise.resolve()
              .then(write)
              .then(() => callback(), callback),
          destroy: (error, callback) => {
            log.push(`destroyed by ${error?.message ?? "nobody"}`);
            callback(error);
          },
        })
      : new WritableStream({
          write,
          abort: (reason: Error | undefined) => void log.push(`destroyed by ${reason?.message ?? "nobody"}`),
        });

  test(`writeAll() closes its items and throws the stream's error, when that fails, ${kind} [real]`, async () => {
    const bad = new Error("disk full");
    const log: string[] = [];
    const stream = sink(() => {
      throw bad;
    }, log);

    const seen = await run(async () => [
      await outcome(
        writeAll(
          stream as Writable,
          toAsyncIterable(function* (emit) {
            try {
              for (;;) {
                yield* emit("x");
                yield* sleep(1);
              }
            } finally {
              log.push("items closed");
            }
          }),
        ),
      ),
      [...log],
    ]);

    expect(seen[0]).toBe(bad);
    expect(seen[1]).toContain("items closed");
  });

  test(`writeAll() destroys the stream, when its items fail or the task is cancelled, ${kind} [real]`, async () => {
    const log: string[] = [];

    const seen = await run(async () => {
      const failing = await outcome(
        writeAll(
          sink(() => {}, log) as Writable,
          (function* () {
            yield 1;
            throw new Error("no more");
          })(),
        ),
      );
      const stream = sink(() => {}, log);
      const task = createTask(
        writeAll(
          stream as Writable,
          toAsyncIterable(() => sleep("1h")),
        ),
      );
      await sleep(5);
      await task.cancelAndWait("changed my mind");
      return [failing, task.cancelled(), kind === "node" ? count(stream as Writable) : (stream as WritableStream).locked];
    });

    expect(seen).toEqual([new Error("no more"), true, kind === "node" ? 0 : false]);
    expect(log).toEqual(["destroyed by no more", "destroyed by changed my mind"]);
  });
}

test("writeAll() ends at once, when the stream fails or is destroyed while the items keep it waiting [real]", async () => {
  const bad = new Error("gone");
  const own = count(new PassThrough());

  const seen = await run(async () => {
    const never = () => toAsyncIterable<string>(() => sleep("1h"));
    const node = new PassThrough();
    const failing = outcome(writeAll(node, never()));
    const early = new PassThrough();
    const closing = outcome(writeAll(early, never(), { end: false }));
    let fail: (error: unknown) => void = () => {};
    const web = new WritableStream<string>({
      start: (controller) => {
        fail = (error) => controller.error(error);
      },
    });
    const erring = outcome(writeAll(web, never()));
    await sleep(1);
    node.destroy(bad);
    early.destroy();
    fail(bad);
    return [await failing, await closing, await erring, count(node), count(early), web.locked];
  });

  expect(seen).toEqual([bad, expect.objectContaining({ code: "STREAM_DESTROYED" }), bad, own, own, false]);
});

test("toReadable() closes its items, when it is destroyed before anybody has read [real]", async () => {
  const inner = new PassThrough();

  await run(async () => {
    const stream = toReadable(fromReadable(inner));
    stream.destroy();
    await nodeOnce(stream, "close");
  });

  expect(inner.destroyed).toBe(true);
});

test("writeAll() refuses wrong arguments, at once", async () => {
  const ended = new PassThrough();
  ended.end();

  expect(() => writeAll(5 as never, [])).toThrow(TypeError);
  expect(() => writeAll(new PassThrough(), 5 as never)).toThrow(TypeError);
  expect(() => writeAll(new PassThrough(), "text")).toThrow("put it into an array");
  expect(() => toReadable(Buffer.from("text"))).toThrow("put it into an array");
  expect(() => writeAll(ended, [])).toThrow("it has ended");
  expect(() => writeAll(new PassThrough(), [], { end: 1 as never })).toThrow(TypeError);
});

test("fetchResponse() aborts the request, the body's reading, or what was not read, when its task is cancelled [real]", async () => {
  let closed = 0;
  const server = createServer((request, response) => {
    response.on("close", () => {
      if (!response.writableFinished) closed++;
    });
    if (request.url === "/json") response.end('{"a":1}');
    if (request.url === "/body") response.write("begun");
  }).listen(0, "127.0.0.1");
  await nodeOnce(server, "listening");
  const url = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const reason = new Error("mine");

  const seen = await run(async () => {
    const got: unknown[] = [];
    const response = await fetchResponse(url("/json"));
    got.push(response instanceof Response, response.status, await response.json());

    const silent = createTask(fetchResponse(url("/never")));
    await sleep(20);
    await silent.cancelAndWait();
    await until(() => closed === 1);

    const reader = createTask(async () => {
      const begun = await fetchResponse(url("/body"));
      return await begun.text();
    });
    await sleep(50);
    await reader.cancelAndWait();
    await until(() => closed === 2);

    {
      using unread = await fetchResponse(url("/body"));
      got.push(unread.ok);
    }
    await until(() => closed === 3);

    const controller = new AbortController();
    const own = outcome(fetchResponse(url("/never"), { signal: controller.signal }));
    await sleep(20);
    controller.abort(reason);
    got.push(await own, silent.cancelled(), reader.cancelled());
    return got;
  });
  server.closeAllConnections();
  server.close();
  await nodeOnce(server, "close");

  expect(seen).toEqual([true, 200, { a: 1 }, true, reason, true, true]);
  expect(isCancelled(seen[4])).toBe(false);
});
