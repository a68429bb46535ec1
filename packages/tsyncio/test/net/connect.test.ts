import { once } from "node:events";
import { createServer, type Server as NodeServer } from "node:net";
import { createTask, gather, isCancelled, sleep, TimeoutError } from "tsyncio";
import { type ConnectOptions, NetworkError, openConnection, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { echo, freePort, quietly, refusing, stalledPort } from "./support.ts";

const addresses =
  (...list: string[]): NonNullable<ConnectOptions["lookup"]> =>
  (_host, _options, callback) =>
    setImmediate(() => callback(null, list.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })) as never));

test("openConnection(), in a function* and an async function, gives a reader and a writer that know the connection [real]", async () => {
  await quietly(async () => {
    const server = await startServer(echo, "127.0.0.1", 0);
    const { reader, writer } = await openConnection("127.0.0.1", server.port);
    await writer.send("one\ntwo\n");

    expect(String(await reader.readline())).toBe("one\n");
    expect(String(await reader.readline())).toBe("two\n");
    expect(writer.getExtraInfo("peername")).toEqual({ address: "127.0.0.1", port: server.port, family: "IPv4" });
    const mine = writer.getExtraInfo("sockname");
    expect(mine).toMatchObject({ address: "127.0.0.1", family: "IPv4" });
    expect(writer.getExtraInfo("socket")).toBeDefined();
    expect(writer.getExtraInfo("cipher", "in the clear")).toBe("in the clear");
    expect(writer.describe()).toBe(`connection to 127.0.0.1:${server.port}`);
    writer.close();
    await writer.waitClosed();
    expect(writer.getExtraInfo("sockname")).toEqual(mine);
    await server.shutdown();
  });
});

test("openConnection() and startServer(), can be awaited outside of any task [real]", async () => {
  const server = await startServer(echo, "127.0.0.1", 0);
  const { reader, writer } = await openConnection("127.0.0.1", server.port);
  await writer.send("hi\n");

  expect(String(await reader.readline())).toBe("hi\n");
  writer.close();
  await server.shutdown();
});

test("openConnection(), to a port where nobody listens, gives Node's code, and what was tried [real]", async () => {
  const port = await freePort();
  await quietly(function* () {
    const error = yield* refusing(openConnection("127.0.0.1", port));

    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ code: "ECONNREFUSED", syscall: "connect" });
    expect((error as Error).message).toBe(`Cannot connect to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`);
  });
});

test("openConnection(), of a name that does not exist, gives Node's code, and the name [real]", async () => {
  await quietly(function* () {
    const error = yield* refusing(openConnection("no-such-host.invalid", 80));

    expect(["ENOTFOUND", "EAI_AGAIN"]).toContain((error as NetworkError).code);
    expect(error).toMatchObject({ syscall: "getaddrinfo" });
    expect((error as Error).message).toMatch(/^Cannot connect to no-such-host\.invalid:80: getaddrinfo E/);
  });
});

test("openConnection(), when all of a host's addresses fail, tells each of them [real]", async () => {
  const port = await freePort();
  await quietly(function* () {
    const lookup = addresses("127.0.0.1", "127.0.0.2", "::1");
    const error = (yield* refusing(openConnection("several.test", port, { lookup }))) as NetworkError;

    expect(error.errors.map((each) => each.address)).toEqual(["127.0.0.1", "::1", "127.0.0.2"]);
    for (const each of error.errors) expect(error.message).toContain(each.message);
    expect(error.message).toContain(`Cannot connect to several.test:${port}: `);
  });
});

test("openConnection(), takes the next address when one fails, without waiting for the delay [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.2", 0);
    const lookup = addresses("127.0.0.1", "127.0.0.2");
    const { writer } = yield* openConnection("two.test", server.port, { lookup, happyEyeballsDelay: Number.POSITIVE_INFINITY });

    expect(writer.getExtraInfo("peername")).toMatchObject({ address: "127.0.0.2" });
    writer.close();
    yield* server.shutdown();
  });
});

test("openConnection(), goes on beside an address that does not answer, and gives that up [real]", async (context) => {
  const stalled = await stalledPort();
  if (stalled === null) return context.skip("no system here on which a connection can be kept waiting");
  try {
    await quietly(function* () {
      const server = yield* startServer(echo, "127.0.0.2", stalled.port);
      const lookup = addresses("127.0.0.1", "127.0.0.2");
      const { reader, writer } = yield* openConnection("two.test", stalled.port, { lookup, happyEyeballsDelay: 20 });
      yield* writer.send("x\n");

      expect(writer.getExtraInfo("peername")).toMatchObject({ address: "127.0.0.2" });
      expect(String(yield* reader.readline())).toBe("x\n");
      writer.close();
      yield* server.shutdown();
    });
  } finally {
    await stalled.close();
  }
});

test("openConnection({ timeout }) and cancel(), end an attempt that does not answer, and close its socket [real]", async (context) => {
  const stalled = await stalledPort();
  if (stalled === null) return context.skip("no system here on which a connection can be kept waiting");
  try {
    await quietly(function* () {
      const error = yield* refusing(openConnection("127.0.0.1", stalled.port, { timeout: 30 }));
      const task = createTask(openConnection("127.0.0.1", stalled.port));
      const many = createTask(openConnection("two.test", stalled.port, { lookup: addresses("127.0.0.1", "127.0.0.1") }));
      yield* sleep(10);
      yield* task.cancelAndWait();
      yield* many.cancelAndWait();

      expect(error).toBeInstanceOf(TimeoutError);
      expect((error as Error).message).toBe(`Cannot connect to 127.0.0.1:${stalled.port}: no answer within 30 ms`);
      expect(task.cancelled() && many.cancelled()).toBe(true);
    });
  } finally {
    await stalled.close();
  }
});

test("openConnection({ timeout }), covers a lookup that never answers; what it finds later is left alone [real]", async () => {
  await quietly(function* () {
    let answer: () => void = () => {};
    const lookup: ConnectOptions["lookup"] = (_host, _options, callback) => {
      answer = () => callback(null, "127.0.0.1", 4);
    };
    const error = yield* refusing(openConnection("slow.test", 9, { lookup, timeout: 5 }));
    answer();
    yield* sleep(1);

    expect(error).toBeInstanceOf(TimeoutError);
  });
});

test("openConnection(), cancelled at any turn, leaves nothing open at the other side [real]", async () => {
  let open = 0;
  const server: NodeServer = createServer((socket) => {
    open++;
    socket
      .on("close", () => open--)
      .on("error", () => {})
      .resume();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  await quietly(function* () {
    for (let turns = 0; turns < 12; turns++) {
      for (const host of ["127.0.0.1", "two.test"]) {
        const task = createTask(
          openConnection(host, port, { lookup: addresses("127.0.0.1", "127.0.0.1"), happyEyeballsDelay: 0 }),
        );
        for (let i = 0; i < turns; i++) yield* sleep(0);
        if (turns % 2 === 1) yield* sleep(1);
        task.cancel();
        yield* task.join();
        if (task.cancelled()) continue;
        const { writer } = task.result();
        writer.close();
        yield* writer.waitClosed();
      }
    }
    while (open > 0) yield* sleep(1);
  });

  expect(open).toBe(0);
  server.close();
});

test("openConnection(), closes what it has connected besides, when two attempts succeed at once [real]", async () => {
  let peak = 0;
  let open = 0;
  const server = createServer((socket) => {
    peak = Math.max(peak, ++open);
    socket
      .on("close", () => open--)
      .on("error", () => {})
      .resume();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  await quietly(function* () {
    for (let i = 0; i < 20; i++) {
      const lookup = addresses("127.0.0.1", "127.0.0.1", "127.0.0.1");
      const { writer } = yield* openConnection("three.test", port, { lookup, happyEyeballsDelay: 0 });
      while (open > 1) yield* sleep(1);
      writer.close();
      yield* writer.waitClosed();
    }
    while (open > 0) yield* sleep(1);
  });

  expect(peak).toBeGreaterThan(1);
  server.close();
});

test("openConnection({ localAddress, localPort }), connects from there [real]", async () => {
  const port = await freePort();
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const { writer } = yield* openConnection("127.0.0.1", server.port, { localAddress: "127.0.0.3", localPort: port });

    expect(writer.getExtraInfo("sockname")).toMatchObject({ address: "127.0.0.3", port });
    writer.abort();
    yield* server.shutdown();
  });
});

test("openConnection(), connects by IPv6, and refuses an address that is not this machine's [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "::1", 0);
    const { writer } = yield* openConnection("::1", server.port);
    const error = yield* refusing(openConnection("::1", server.port, { localAddress: "2001:db8::1" }));

    expect(writer.getExtraInfo("peername")).toMatchObject({ address: "::1", family: "IPv6" });
    expect(error).toMatchObject({ code: "EADDRNOTAVAIL" });
    expect((error as Error).message).toContain(`Cannot connect to [::1]:${server.port}: `);
    writer.close();
    yield* server.shutdown();
  });
});

test("openConnection(), refuses wrong arguments at once", () => {
  const wrong = openConnection as (...args: unknown[]) => unknown;
  expect(() => wrong(5, 80)).toThrow('Expected `host` to be a name or an address, such as "127.0.0.1", got 5');
  expect(() => wrong("", 80)).toThrow(RangeError);
  expect(() => wrong("a", "80")).toThrow('Expected `port` to be an integer from 1 to 65535, got "80"');
  expect(() => wrong("a", 65_536)).toThrow(RangeError);
  expect(() => wrong("a", 80, 5)).toThrow("Expected `options` to be an object");
  expect(() => wrong("a", 80, { limit: 0 })).toThrow("Expected `limit` to be an integer ≥ 1");
  expect(() => wrong("a", 80, { tls: "yes" })).toThrow("Expected `tls` to be true or an object");
  expect(() => wrong("a", 80, { tls: { handshakeTimeout: 0 } })).toThrow("Expected `handshakeTimeout` to be above 0");
  expect(() => wrong("a", 80, { family: 5 })).toThrow("Expected `family` to be 0, 4 or 6");
  expect(() => wrong("a", 80, { noDelay: 1 })).toThrow("Expected `noDelay` to be true or false");
  expect(() => wrong("a", 80, { keepAlive: -1 })).toThrow("Expected `keepAlive` to be a time ≥ 0");
  expect(() => wrong("a", 80, { timeout: "soon" })).toThrow("Expected `timeout` in milliseconds");
  expect(() => wrong("a", 80, { localAddress: "here" })).toThrow("Expected `localAddress` to be an IP address");
  expect(() => wrong("a", 80, { lookup: 5 })).toThrow("Expected `lookup` to be a function");
});

test("reads and writes on a socket, cancelled wherever they wait, lose no byte that was not handed out [real]", async () => {
  const server = createServer((socket) => {
    socket.resume();
    let sent = 0;
    const more = (): void => {
      if (sent === 2000) return void socket.end();
      socket.write(`${sent++}\n`, () => setImmediate(more));
    };
    more();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  await quietly(function* () {
    const { reader, writer } = yield* openConnection("127.0.0.1", (server.address() as { port: number }).port);
    const got: string[] = [];
    let cancelled = 0;
    for (let i = 0; ; i++) {
      const task = createTask(reader.readline());
      for (let turns = i % 3; turns > 0; turns--) yield* sleep(0);
      if (i % 2 === 0) task.cancel();
      try {
        const line = yield* task;
        if (line.length === 0) break;
        got.push(String(line));
      } catch (error) {
        if (!isCancelled(error)) throw error;
        cancelled++;
      }
    }
    writer.close();
    yield* writer.waitClosed();

    expect(cancelled).toBeGreaterThan(10);
    expect(got).toEqual(Array.from({ length: 2000 }, (_, n) => `${n}\n`));
  });
  server.close();
});

test("many connections at once, get their own bytes each, and all are gone at the end [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const one = function* (n: number) {
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      for (let i = 0; i < 5; i++) {
        yield* writer.send(`${n}/${i}\n`);
        expect(String(yield* reader.readline())).toBe(`${n}/${i}\n`);
      }
      writer.close();
      yield* writer.waitClosed();
    };
    yield* gather(...Array.from({ length: 300 }, (_, n) => one(n)));
    yield* server.shutdown();

    expect(server.connections).toBe(0);
  });
});

test("writer.close(), right after a large write, sends all of it [real]", async () => {
  let got = 0;
  const server = createServer((socket) =>
    socket.on("data", (data) => {
      got += data.length;
    }),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  await quietly(function* () {
    const { writer } = yield* openConnection("127.0.0.1", (server.address() as { port: number }).port);
    writer.write(Buffer.alloc(5_000_000));
    writer.close();
    yield* writer.waitClosed();
  });
  server.close();
  await once(server, "close");

  expect(got).toBe(5_000_000);
});
