import { createSocket } from "node:dgram";
import { createTask, gather, sleep } from "tsyncio";
import { ConnectionLostError, type DatagramEndpoint, NetworkError, openDatagram } from "tsyncio/net";
import { expect, test } from "vitest";
import { quietly, refusing } from "./support.ts";

const here = { host: "127.0.0.1", port: 0 };
const at = (endpoint: DatagramEndpoint) => ({ host: endpoint.address.address, port: endpoint.address.port });

test("openDatagram(), sends and receives, connected and not, in both spellings [real]", async () => {
  await quietly(function* () {
    const server = yield* openDatagram({ local: here });
    const client = yield* openDatagram({ remote: at(server) });
    yield* client.send("ping");
    const { data, address, port } = yield* server.receive();
    yield* server.send(Uint8Array.from(data).reverse(), { host: address, port });

    expect(String(data)).toBe("ping");
    expect(client.remote).toEqual(server.address);
    expect(port).toBe(client.address.port);
    expect(String((yield* client.receive()).data)).toBe("gnip");
    expect(String(client)).toMatch(/^<DatagramEndpoint open, UDP endpoint at 127\.0\.0\.1:\d+, 0 buffered>$/);
    for (const each of [server, client]) each.close();
    yield* gather(server.waitClosed(), client.waitClosed());
  });
  await quietly(async () => {
    await using server = await openDatagram({ local: { host: "::1", port: 0 } });
    await using client = await openDatagram();
    expect(() => client.send("x")).toThrow("Expected `to`, whom to send to");
    const other = await openDatagram({ remote: at(server) });
    await other.send("by IPv6");
    for await (const { data } of server) {
      expect(String(data)).toBe("by IPv6");
      server.close();
    }
    other.close();
  });
});

test("DatagramEndpoint, keeps maxQueue datagrams, and drops the newest or the oldest that are too many, and counts them [real]", async () => {
  await quietly(function* () {
    for (const [drop, expected] of [
      ["newest", "01"],
      ["oldest", "34"],
    ] as const) {
      const server = yield* openDatagram({ local: here, maxQueue: 2, drop });
      const client = yield* openDatagram({ remote: at(server) });
      for (let i = 0; i < 5; i++) yield* client.send(`${i}`);
      while (server.buffered + server.dropped < 5) yield* sleep(1);

      expect(server.dropped).toBe(3);
      expect(`${(yield* server.receive()).data}${(yield* server.receive()).data}`).toBe(expected);
      server.close();
      client.close();
    }
  });
});

test("DatagramEndpoint.receive(), cancelled when it was woken, leaves the datagram to the next [real]", async () => {
  await quietly(function* () {
    const server = yield* openDatagram({ local: here });
    const client = yield* openDatagram({ remote: at(server) });
    const first = createTask(server.receive());
    const second = createTask(server.receive());
    yield* sleep(0);
    yield* client.send("one");
    while (!first.done()) {
      if (server.buffered > 0) first.cancel();
      yield* sleep(0);
    }
    yield* first.join();

    if (first.cancelled()) expect(String((yield* second).data)).toBe("one");
    else yield* second.cancelAndWait();
    expect(server.buffered).toBe(0);
    for (const each of [server, client]) each.close();
  });
});

test("DatagramEndpoint.receive(), by several tasks, gives each datagram to one of them, in order [real]", async () => {
  await quietly(function* () {
    const server = yield* openDatagram({ local: here });
    const client = yield* openDatagram({ remote: at(server) });
    const receivers = Array.from({ length: 5 }, () => createTask(server.receive()));
    yield* sleep(0);
    for (let i = 0; i < 5; i++) client.send(`${i}`).then(undefined);
    const all = yield* gather(receivers);

    expect(all.map(({ data }) => String(data)).sort()).toEqual(["0", "1", "2", "3", "4"]);
    for (const each of [server, client]) each.close();
  });
});

test("DatagramEndpoint, tells an error of the system's once, and goes on [real]", async () => {
  await quietly(function* () {
    const gone = yield* openDatagram({ local: here });
    const target = at(gone);
    gone.close();
    yield* gone.waitClosed();
    const client = yield* openDatagram({ remote: target });
    yield* client.send("nobody there");

    expect(yield* refusing(client.receive())).toMatchObject({ code: "ECONNREFUSED" });
    const again = yield* openDatagram({ local: target });
    yield* client.send("somebody");
    expect(String((yield* again.receive()).data)).toBe("somebody");
    expect(yield* refusing(client.send(Buffer.alloc(100_000)))).toMatchObject({ code: "EMSGSIZE" });
    for (const each of [client, again]) each.close();
  });
});

test("DatagramEndpoint.close(), ends waits, gives what was received before, and refuses to send [real]", async () => {
  await quietly(function* () {
    const server = yield* openDatagram({ local: here });
    const client = yield* openDatagram({ remote: at(server) });
    const waiting = createTask(client.receive());
    yield* client.send("kept");
    while (server.buffered === 0) yield* sleep(1);
    for (const each of [server, client]) {
      each.close();
      each.close();
    }
    yield* waiting.join();

    expect(waiting.exception()).toBeInstanceOf(ConnectionLostError);
    expect((waiting.exception() as Error).message).toMatch(/^Cannot receive: UDP endpoint at 127\.0\.0\.1:\d+ is closed$/);
    expect(String((yield* server.receive()).data)).toBe("kept");
    expect(yield* refusing(server.receive())).toBeInstanceOf(ConnectionLostError);
    expect(yield* refusing(client.send("x"))).toMatchObject({ code: "CLOSED" });
    yield* gather(server.waitClosed(), client.waitClosed());
  });
});

test("openDatagram(), at an address that is taken, or a name that does not exist, gives Node's code [real]", async () => {
  await quietly(function* () {
    const first = yield* openDatagram({ local: here });
    const error = yield* refusing(openDatagram({ local: at(first) }));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({ code: "EADDRINUSE", syscall: "bind" });
    expect((error as Error).message).toContain(`Cannot bind 127.0.0.1:${first.address.port} by UDP: `);
    expect(yield* refusing(openDatagram({ remote: { host: "no-such-host.invalid", port: 9 } }))).toMatchObject({
      syscall: "getaddrinfo",
    });
    first.close();
  });
});

test("openDatagram(), cancelled at any turn, leaves no socket [real]", async () => {
  const target = createSocket("udp4");
  await new Promise<void>((resolve) => target.bind(0, "127.0.0.1", resolve));
  await quietly(function* () {
    for (let turns = 0; turns < 8; turns++) {
      const task = createTask(openDatagram({ local: here, remote: { host: "127.0.0.1", port: target.address().port } }));
      for (let i = 0; i < turns; i++) yield* sleep(0);
      task.cancel();
      yield* task.join();
      if (!task.cancelled()) task.result().close();
    }
  });
  target.close();
});

test("openDatagram() and its endpoint, refuse wrong arguments at once [real]", async () => {
  const wrong = openDatagram as (options: unknown) => unknown;
  expect(() => wrong(5)).toThrow("Expected `options` to be an object");
  expect(() => wrong({ local: "a:5" })).toThrow("Expected `local` to be { host, port }");
  expect(() => wrong({ remote: { host: "a", port: 0 } })).toThrow("Expected `remote.port` to be an integer from 1");
  expect(() => wrong({ maxQueue: 0 })).toThrow("Expected `maxQueue` to be an integer ≥ 1");
  expect(() => wrong({ drop: "all" })).toThrow('Expected `drop` to be "newest" or "oldest"');
  await quietly(function* () {
    const client = yield* openDatagram({ remote: { host: "127.0.0.1", port: 9 } });
    expect(() => client.send(5 as never)).toThrow("Expected bytes (a Uint8Array) or text to send, got 5");
    expect(() => client.send("x", { host: "127.0.0.1", port: 9 })).toThrow("sends to its `remote` alone");
    client.close();
  });
});
