/** Server: waiting for its end, closing its clients, the file of its socket. After CPython's test_server.py. */

import { existsSync, mkdtempSync, rmSync, unlinkSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Coroutine, createTask, currentTask, getRunningLoop, sleep } from "tsyncio";
import { openConnection, openUnixConnection, type Server, type Streams, startServer, startUnixServer } from "tsyncio/net";
import { afterAll, describe, expect, test } from "vitest";
import { quietly, refusing } from "../net/support.ts";

const folder = mkdtempSync(join(tmpdir(), "tsyncio-server-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Reads to the end, and closes. */
function* serve({ reader, writer }: Streams): Coroutine<void> {
  try {
    yield* reader.read();
  } finally {
    writer.close();
    yield* writer.waitClosed();
  }
}

describe.each(["TCP", ...(process.platform === "win32" ? [] : ["a Unix socket"])])("a server by %s", (kind) => {
  test("Server.serveForever(), cancelled by a handler, closes the server, which cannot serve again [real]", async () => {
    await quietly(function* () {
      const path = join(folder, "forever.sock");
      const handler = function* ({ reader, writer }: Streams): Coroutine<void> {
        yield* reader.readline();
        main.cancel();
        writer.write("1");
        writer.close();
        yield* writer.waitClosed();
      };
      const server: Server = yield* kind === "TCP" ? startServer(handler, "127.0.0.1", 0) : startUnixServer(handler, path);
      const main = createTask(server.serveForever());
      expect(server.isServing()).toBe(true);
      const { reader, writer } = yield* kind === "TCP" ? openConnection("127.0.0.1", server.port) : openUnixConnection(path);
      yield* writer.send(`${"1".repeat(5 * 1024)}\n`);

      expect(String(yield* reader.read())).toBe("1");
      writer.close();
      yield* main.join();
      expect(main.cancelled()).toBe(true);
      expect(server.sockets).toEqual([]);
      expect(server.isServing()).toBe(false);
      expect(yield* refusing(server.serveForever())).toMatchObject({ code: "SERVER_CLOSED" });
    });
  });
});

test("Server.waitClosed(), begun at any time, ends when the server is closed and the last connection is gone [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(serve, "127.0.0.1", 0);
    const waits = [createTask(server.waitClosed())];
    yield* sleep(0);
    const { writer } = yield* openConnection("127.0.0.1", server.port);
    while (server.connections === 0) yield* sleep(1);
    waits.push(createTask(server.waitClosed()));
    yield* sleep(1);
    expect(waits.map((each) => each.done())).toEqual([false, false]);
    server.close();
    yield* sleep(1);
    waits.push(createTask(server.waitClosed()));
    yield* sleep(1);
    expect(waits.map((each) => each.done())).toEqual([false, false, false]);
    writer.close();
    for (const each of waits) yield* each;
    yield* server.waitClosed();
  });
});

test("Server.waitClosed(), ends, when the server and its client close in the same turn [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(serve, "127.0.0.1", 0);
    const waiting = createTask(server.waitClosed());
    yield* sleep(0);
    const { writer } = yield* openConnection("127.0.0.1", server.port);
    expect(waiting.done()).toBe(false);
    getRunningLoop().callSoon(() => server.close());
    getRunningLoop().callSoon(() => writer.close());
    yield* server.waitClosed();
    yield* waiting;
  });
});

test.each(["closeClients", "abortClients"] as const)(
  "Server.%s(), ends waitClosed(), although the client does not close [real]",
  async (way) => {
    await quietly(function* () {
      const server = yield* startServer(serve, "127.0.0.1", 0);
      const { writer } = yield* openConnection("127.0.0.1", server.port);
      while (server.connections === 0) yield* sleep(1);
      const waiting = createTask(server.waitClosed());
      yield* sleep(1);
      expect(waiting.done()).toBe(false);
      server.close();
      server[way]();
      yield* waiting;

      expect(writer.isClosing()).toBe(false);
      writer.close();
    });
  },
);

test("Server.abortClients(), ends waitClosed(), although the client does not read [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ writer }) {
        writer.write(Buffer.alloc(50_000_000));
        // Nothing of it is an error: it was aborted here.
        yield* writer.waitClosed();
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port, { limit: 4096 });
    yield* reader.readexactly(1);
    const waiting = createTask(server.waitClosed());
    yield* sleep(1);
    expect(waiting.done()).toBe(false);
    server.close();
    server.abortClients();
    yield* waiting;
    writer.abort();
  });
});

test.each([
  ["throws", 1],
  ["is cancelled", 0],
])("a handler that %s, lets the client and the server end [real]", async (way, reports) => {
  const messages: string[] = [];
  let handled = 0;
  await quietly(function* () {
    getRunningLoop().setExceptionHandler((_, { message }) => messages.push(message));
    const server = yield* startServer(
      function* ({ writer }) {
        handled++;
        if (way === "throws") throw new RangeError("test");
        writer.close();
        currentTask()?.cancel();
        yield* sleep(0);
      },
      "127.0.0.1",
      0,
    );
    const { writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send("test msg");
    writer.close();
    while (handled === 0) yield* sleep(1);
    server.close();
    yield* server.waitClosed();
  });

  expect(messages.length).toBe(reports);
});

describe.skipIf(process.platform === "win32")("the file of a Unix socket", () => {
  test("is gone when Server.close() returns [real]", async () => {
    await quietly(function* () {
      const path = join(folder, "closed.sock");
      const server = yield* startUnixServer(serve, path);
      expect(existsSync(path)).toBe(true);
      server.close();

      expect(existsSync(path)).toBe(false);
      yield* server.waitClosed();
    });
  });

  test("that somebody else has removed, is missed by nobody [real]", async () => {
    await quietly(function* () {
      const path = join(folder, "gone.sock");
      const server = yield* startUnixServer(serve, path);
      unlinkSync(path);
      server.close();

      expect(existsSync(path)).toBe(false);
      yield* server.waitClosed();
    });
  });

  test("that somebody else has put in its place, stays [real]", async () => {
    await quietly(function* () {
      const path = join(folder, "replaced.sock");
      const server = yield* startUnixServer(serve, path);
      unlinkSync(path);
      const other = createServer();
      yield* getRunningLoop().createTask(() => new Promise<void>((resolve) => other.listen(path, resolve)));
      server.close();

      expect(existsSync(path)).toBe(true);
      yield* server.waitClosed();
      other.close();
    });
  });
});
