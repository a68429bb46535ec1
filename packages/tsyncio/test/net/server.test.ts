import { AsyncLocalStorage } from "node:async_hooks";
import { ContextVar, createTask, currentTask, Event, gather, isCancelled, shielded, sleep, timeout } from "tsyncio";
import { ConnectionLostError, NetworkError, openConnection, type Server, type Streams, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { echo, quietly, really, refusing } from "./support.ts";

/** Reads until the end, and lets go. */
function* hangUp({ reader, writer }: Streams) {
  yield* reader.read();
  writer.close();
}

test("startServer(), runs each handler as a task with a readable name, in the context of whoever started it [real]", async () => {
  const user = new ContextVar("user", { default: "nobody" });
  const seen: unknown[] = [];
  await quietly(function* () {
    user.set("starter");
    const server = yield* startServer(
      function* greet({ writer }) {
        seen.push(currentTask()?.name, user.get());
        user.set("handler");
        yield* writer.send("hello");
      },
      "127.0.0.1",
      0,
    );
    user.set("later");
    for (let i = 0; i < 2; i++) {
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      expect(String(yield* reader.read())).toBe("hello");
      seen.push(`greet 127.0.0.1:${writer.getExtraInfo<{ port: number }>("sockname")?.port}`);
      writer.close();
    }
    yield* server.shutdown();
  });

  expect(seen).toEqual([seen[2], "starter", seen[2], seen[5], "starter", seen[5]]);
});

test("a handler, sees the AsyncLocalStorage of whoever started the server, not of the one that connects [real]", async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  await quietly(function* () {
    const server = yield* storage.run("server", () =>
      createTask(
        startServer(
          function* ({ writer }) {
            seen.push(storage.getStore());
            yield* sleep(1);
            seen.push(storage.getStore());
            yield* writer.send("x");
          },
          "127.0.0.1",
          0,
        ),
      ),
    );
    const { reader, writer } = yield* storage.run("client", () => createTask(openConnection("127.0.0.1", server.port)));
    yield* reader.read();
    writer.close();
    yield* server.shutdown();
  });

  expect(new Set(seen).size).toBe(1);
  expect(seen).not.toContain("client");
});

test("startServer(), takes an async function as well, that belongs to its task across awaits [real]", async () => {
  const names: (string | undefined)[] = [];
  await quietly(async () => {
    await using server = await startServer(
      async function greet({ reader, writer }) {
        for await (const line of reader) {
          names.push(currentTask()?.name.split(" ")[0]);
          await writer.send(line);
        }
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = await openConnection("127.0.0.1", server.port);
    await writer.send("a\nb\nc");
    writer.writeEof();
    expect(String(await reader.read())).toBe("a\nb\nc");
    writer.close();
  });

  expect(names).toEqual(["greet", "greet", "greet"]);
});

test("startServer(), reports a handler's error with its peer, and closes its connection alone [real]", async () => {
  const errors = await really(function* () {
    const server = yield* startServer(
      function* ({ reader, writer }) {
        const line = String(yield* reader.readline());
        yield* writer.send(line);
        if (line === "bad\n") throw new RangeError("on purpose");
        yield* hangUp({ reader, writer });
      },
      "127.0.0.1",
      0,
    );
    const good = yield* openConnection("127.0.0.1", server.port);
    const bad = yield* openConnection("127.0.0.1", server.port);
    yield* good.writer.send("good\n");
    yield* bad.writer.send("bad\n");

    expect(String(yield* bad.reader.read())).toBe("bad\n");
    expect(String(yield* good.reader.readline())).toBe("good\n");
    while (server.connections > 1) yield* sleep(1);
    expect(server.isServing()).toBe(true);
    good.writer.close();
    bad.writer.close();
    yield* server.shutdown();
  });

  expect(errors.length).toBe(1);
  expect(errors[0]?.message).toMatch(/^Unhandled exception in client handler \(peer 127\.0\.0\.1:\d+\)$/);
  expect(errors[0]?.exception).toBeInstanceOf(RangeError);
  expect(errors[0]?.task?.name).toMatch(/^client handler 127/);
});

test("a handler that is cancelled, closes its connection, and nothing is reported [real]", async () => {
  await quietly(function* () {
    let handler = currentTask();
    const started = new Event();
    const server = yield* startServer(
      function* ({ reader }) {
        handler = currentTask();
        started.set();
        yield* reader.read();
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* started.wait();
    handler?.cancel();

    expect((yield* reader.read()).length).toBe(0);
    writer.close();
    yield* server.shutdown();
  });
});

test("Server.close(), stops listening only; waitClosed(), waits for the last connection [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send("a\n");
    yield* reader.readline();
    server.close();
    server.close();
    const waiting = createTask(server.waitClosed());
    yield* sleep(5);

    expect(server.isServing()).toBe(false);
    expect(server.sockets).toEqual([]);
    expect(waiting.done()).toBe(false);
    expect(yield* refusing(openConnection("127.0.0.1", server.port))).toMatchObject({ code: "ECONNREFUSED" });
    yield* writer.send("b\n");
    expect(String(yield* reader.readline())).toBe("b\n");
    writer.close();
    yield* waiting;
    yield* server.waitClosed();
    expect(String(server)).toBe(`<Server closed, 0 connections, server at 127.0.0.1:${server.port}>`);
  });
});

test("Server.waitClosed(), waits while it is open; cancelled, leaves it alone [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const waiting = createTask(server.waitClosed());
    yield* sleep(1);
    expect(waiting.done()).toBe(false);
    yield* waiting.cancelAndWait();
    expect(server.isServing()).toBe(true);
    server.close();
    yield* server.waitClosed();
  });
});

test("Server.closeClients(), sends what was written, and ends their handlers by the end of what they read [real]", async () => {
  const big = Buffer.alloc(3_000_000, "x");
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ reader, writer }) {
        writer.write(big);
        yield* reader.read();
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* reader.readexactly(1);
    server.close();
    server.closeClients();

    expect((yield* reader.read()).length).toBe(big.length - 1);
    writer.close();
    yield* server.waitClosed();
  });
});

test("what a handler writes after Server.closeClients(), is dropped, and no error of its own [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ reader, writer }) {
        yield* reader.readline();
        server.closeClients();
        writer.write("too late");
        expect((yield* reader.read()).length).toBe(0);
        yield* writer.waitClosed();
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send("go\n");

    expect((yield* reader.read()).length).toBe(0);
    writer.close();
    yield* server.shutdown();
  });
});

test("Server.abortClients(), drops what was not sent, to a client that does not read; its handler is told [real]", async () => {
  const errors = await really(function* () {
    const server = yield* startServer(
      function* ({ writer }) {
        yield* writer.send(Buffer.alloc(50_000_000));
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* reader.readexactly(1);
    server.close();
    server.abortClients();
    yield* server.waitClosed();
    writer.abort();
  });

  expect(errors.map((each) => each.exception)).toEqual([expect.any(ConnectionLostError)]);
});

test("Server.serveForever(), cancelled, closes, waits for the connections, and goes on with the cancellation [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const serving = createTask(server.serveForever());
    yield* sleep(0);
    expect(yield* refusing(server.serveForever())).toMatchObject({ code: "SERVING" });
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send("x\n");
    yield* reader.readline();
    serving.cancel();
    yield* sleep(5);

    expect(serving.done()).toBe(false);
    expect(server.isServing()).toBe(false);
    writer.close();
    yield* serving.join();
    expect(serving.cancelled()).toBe(true);
    expect(yield* refusing(server.serveForever())).toMatchObject({ code: "SERVER_CLOSED" });
  });
});

test("Server.serveForever(), ends when the server is closed elsewhere [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const serving = createTask(server.serveForever());
    yield* sleep(0);
    server.close();
    yield* serving;
  });
});

test("Server.shutdown(), lets handlers end in the grace period, and does not wait longer than they take [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ reader, writer }) {
        yield* reader.readline();
        yield* sleep(20);
        yield* writer.send("done\n");
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send("go\n");
    while (server.connections === 0) yield* sleep(1);
    const ending = createTask(server.shutdown({ grace: "1h" }));

    expect(String(yield* reader.read())).toBe("done\n");
    writer.close();
    yield* ending;
  });
});

test("Server.shutdown(), after the grace period cancels the handlers, waits for their cleanup, and sends it [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ reader, writer }) {
        try {
          yield* reader.readline();
        } catch (error) {
          if (isCancelled(error)) yield* shielded(() => writer.send("bye\n"));
          throw error;
        }
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    while (server.connections === 0) yield* sleep(1);
    const ending = createTask(server.shutdown({ grace: 5 }));

    expect(String(yield* reader.read())).toBe("bye\n");
    yield* ending;
    expect(server.connections).toBe(0);
    writer.close();
  });
});

test("Server.shutdown(), at last aborts what a client does not read [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ writer }) {
        yield* writer.send(Buffer.alloc(50_000_000));
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* reader.readexactly(1);
    yield* server.shutdown({ grace: 5, linger: 5 });

    expect(server.connections).toBe(0);
    writer.abort();
  });
});

test("Server, at the end of an `await using` block, is shut down [real]", async () => {
  await quietly(async () => {
    let server: Server;
    {
      await using mine = await startServer(echo, "127.0.0.1", 0);
      server = mine;
      const { writer } = await openConnection("127.0.0.1", server.port);
      writer.close();
    }
    expect(server.isServing()).toBe(false);
    expect(server.connections).toBe(0);
  });
});

test("startServer({ maxConnections }), lets those that are too many wait, with what they have sent [real]", async () => {
  await quietly(function* () {
    let atOnce = 0;
    let most = 0;
    const server = yield* startServer(
      function* (streams) {
        most = Math.max(most, ++atOnce);
        yield* echo(streams);
        atOnce--;
      },
      "127.0.0.1",
      0,
      { maxConnections: 2 },
    );
    const talk = function* (n: number) {
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      yield* writer.send(`${n}\n`);
      expect(String(yield* reader.readline())).toBe(`${n}\n`);
      writer.close();
      yield* writer.waitClosed();
    };
    yield* gather(...Array.from({ length: 10 }, (_, n) => talk(n)));

    expect(most).toBe(2);
    yield* server.shutdown();
  });
});

test("startServer({ maxConnections }), closes those that wait, when the server closes, and forgets those that leave [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(hangUp, "127.0.0.1", 0, { maxConnections: 1 });
    const first = yield* openConnection("127.0.0.1", server.port);
    const second = yield* openConnection("127.0.0.1", server.port);
    const third = yield* openConnection("127.0.0.1", server.port);
    while (server.connections < 3) yield* sleep(1);
    second.writer.getExtraInfo<{ resetAndDestroy(): void }>("socket")?.resetAndDestroy();
    server.close();

    expect((yield* third.reader.read()).length).toBe(0);
    for (const { writer } of [first, third]) writer.close();
    yield* server.waitClosed();
    expect(server.connections).toBe(0);
  });
});

test("startServer({ whenFull: 'refuse' }), closes those that are too many, and takes others when there is room [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0, { maxConnections: 1, whenFull: "refuse" });
    const first = yield* openConnection("127.0.0.1", server.port);
    yield* first.writer.send("x\n");
    yield* first.reader.readline();
    const second = yield* openConnection("127.0.0.1", server.port);

    expect((yield* second.reader.read()).length).toBe(0);
    first.writer.close();
    second.writer.close();
    while (server.connections > 0) yield* sleep(1);
    const third = yield* openConnection("127.0.0.1", server.port);
    yield* third.writer.send("y\n");
    expect(String(yield* third.reader.readline())).toBe("y\n");
    third.writer.close();
    yield* server.shutdown();
  });
});

test("startServer(), at a port that is taken, says so with Node's code, and leaves nothing open [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const error = yield* refusing(startServer(echo, ["127.0.0.2", "127.0.0.1"], server.port));

    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ code: "EADDRINUSE", syscall: "listen" });
    expect((error as Error).message).toMatch(
      new RegExp(`^Cannot listen at 127\\.0\\.0\\.2:${server.port}, 127\\.0\\.0\\.1:${server.port}: listen EADDRINUSE`),
    );
    expect(yield* refusing(openConnection("127.0.0.2", server.port))).toMatchObject({ code: "ECONNREFUSED" });
    yield* server.shutdown();
  });
});

test("startServer(), listens at several addresses, at all, and at a name's [real]", async () => {
  await quietly(function* () {
    const several = yield* startServer(hangUp, ["127.0.0.1", "127.0.0.2"], 0);
    const all = yield* startServer(hangUp, null, 0);
    const named = yield* startServer(hangUp, "localhost", 0);
    const error = yield* refusing(startServer(hangUp, "no-such-host.invalid", 0));

    expect(several.sockets.map((each) => each.address)).toEqual(["127.0.0.1", "127.0.0.2"]);
    for (const { address, port } of [...several.sockets, { ...all.sockets[0], address: "127.0.0.1" }, ...named.sockets]) {
      const { writer } = yield* openConnection(address, port as number);
      writer.close();
    }
    expect((error as Error).message).toMatch(/^Cannot listen at no-such-host\.invalid:0: getaddrinfo /);
    yield* gather(several.shutdown(), all.shutdown(), named.shutdown());
  });
});

test("startServer(), cancelled at any turn, does not listen [real]", async () => {
  await quietly(function* () {
    for (let turns = 0; turns < 8; turns++) {
      const task = createTask(startServer(echo, "127.0.0.1", 0));
      for (let i = 0; i < turns; i++) yield* sleep(0);
      task.cancel();
      yield* task.join();
      if (!task.cancelled()) yield* task.result().shutdown();
    }
  });
});

test("a connection that its handler lets go, is gone for the server when all is sent, and closes by itself [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(({ writer }) => writer.write("x".repeat(1_000_000)), "127.0.0.1", 0);
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);

    expect((yield* timeout("10s", () => reader.read())).length).toBe(1_000_000);
    writer.close();
    yield* server.shutdown({ grace: Number.POSITIVE_INFINITY });
  });
});

test("half-close, lets the other direction go on, from either side [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(
      function* ({ reader, writer }) {
        const all = yield* reader.read();
        yield* sleep(2);
        yield* writer.send(`${all.length} bytes`);
        writer.writeEof();
        yield* sleep(2);
      },
      "127.0.0.1",
      0,
    );
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send(Buffer.alloc(200_000));
    writer.writeEof();

    expect(String(yield* reader.read())).toBe("200000 bytes");
    expect(() => writer.write("more")).toThrow("writeEof() was called before");
    writer.close();
    yield* server.shutdown();
  });
});

test("startServer(), refuses wrong arguments at once", () => {
  const wrong = startServer as (...args: unknown[]) => unknown;
  expect(() => wrong(5, "a", 0)).toThrow("Expected the body of startServer() to be a function* or an async function");
  expect(() => wrong(echo, [], 0)).toThrow("Expected `host` to be a name, an address, several of them, or null");
  expect(() => wrong(echo, ["a", 5], 0)).toThrow("Expected `host`");
  expect(() => wrong(echo, "a", -1)).toThrow("Expected `port` to be an integer from 0 to 65535");
  expect(() => wrong(echo, "a", 0, { maxConnections: 0 })).toThrow("Expected `maxConnections` to be an integer ≥ 1");
  expect(() => wrong(echo, "a", 0, { whenFull: "no" })).toThrow('Expected `whenFull` to be "wait" or "refuse"');
  expect(() => wrong(echo, "a", 0, { tls: true })).toThrow("an object with its certificate");
  expect(() => wrong(echo, "a", 0, { tls: { key: "no key", cert: "none" } })).toThrow();
  expect(() => wrong(echo, "a", 0, { backlog: 0 })).toThrow("Expected `backlog`");
  expect(() => wrong(echo, "a", 0, { limit: 1.5 })).toThrow("Expected `limit`");
});
