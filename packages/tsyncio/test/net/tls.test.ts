import { once } from "node:events";
import { createServer, connect as rawConnect } from "node:net";
import { createTask, gather, sleep, TimeoutError } from "tsyncio";
import { NetworkError, openConnection, type Streams, startServer, streamPair } from "tsyncio/net";
import { describe, expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { echo, quietly, really, refusing } from "./support.ts";

const made = makeCertificates();
const none = { key: "", cert: "" };

describe.skipIf(made === null)("TLS, with certificates by the openssl program", () => {
  const { good, expired, other, client } =
    made ?? ({ good: none, expired: none, other: none, client: none } satisfies Certificates);
  const ca = good.cert;

  test("openConnection({ tls }) and startServer({ tls }), verify, and tell what was agreed on [real]", async () => {
    await quietly(function* () {
      const seen: unknown[] = [];
      const server = yield* startServer(
        function* (streams) {
          seen.push(streams.writer.getExtraInfo("alpn"), streams.writer.describe().split(" from")[0]);
          yield* echo(streams);
        },
        "127.0.0.1",
        0,
        { tls: { ...good, ALPNProtocols: ["echo/2", "echo/1"] } },
      );
      const tls = { ca, ALPNProtocols: ["echo/1"] };
      for (const options of [{ tls }, { tls: { ...tls, servername: "localhost" } }]) {
        const { reader, writer } = yield* openConnection("127.0.0.1", server.port, options);
        yield* writer.send("secret\n");

        expect(String(yield* reader.readline())).toBe("secret\n");
        expect(writer.getExtraInfo("alpn")).toBe("echo/1");
        expect(writer.getExtraInfo("protocol")).toBe("TLSv1.3");
        expect(writer.getExtraInfo("cipher")).toMatchObject({ version: "TLSv1.3" });
        expect(writer.getExtraInfo("peercert")).toMatchObject({ subject: { CN: "localhost" } });
        expect(writer.getExtraInfo("peername")).toMatchObject({ address: "127.0.0.1", port: server.port });
        writer.close();
        yield* writer.waitClosed();
      }
      expect(seen).toEqual(["echo/1", "TLS connection", "echo/1", "TLS connection"]);
      yield* server.shutdown();
    });
  });

  test("openConnection({ tls }), refuses a certificate that is unknown, expired, or another host's, and leaves nothing [real]", async () => {
    const cases = [
      { certificate: good, tls: true, code: "DEPTH_ZERO_SELF_SIGNED_CERT" },
      { certificate: expired, tls: { ca: expired.cert }, code: "CERT_HAS_EXPIRED" },
      { certificate: other, tls: { ca: other.cert }, code: "ERR_TLS_CERT_ALTNAME_INVALID" },
      { certificate: good, tls: { ca, servername: "example.test" }, code: "ERR_TLS_CERT_ALTNAME_INVALID" },
    ];
    for (const { certificate, tls, code } of cases) {
      await quietly(function* () {
        const server = yield* startServer(echo, "127.0.0.1", 0, { tls: certificate });
        const error = yield* refusing(openConnection("127.0.0.1", server.port, { tls }));

        expect(error).toBeInstanceOf(NetworkError);
        expect(error).toMatchObject({ code });
        expect((error as Error).message).toContain(`Cannot connect to 127.0.0.1:${server.port}: `);
        yield* server.shutdown();
      });
    }
  });

  test("openConnection({ tls: { rejectUnauthorized: false } }), takes any certificate [real]", async () => {
    await quietly(function* () {
      const server = yield* startServer(echo, "127.0.0.1", 0, { tls: expired });
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port, { tls: { rejectUnauthorized: false } });
      yield* writer.send("x\n");
      expect(String(yield* reader.readline())).toBe("x\n");
      writer.close();
      yield* server.shutdown();
    });
  });

  test("startServer({ tls: { requestCert } }), serves only clients with a certificate it trusts [real]", async () => {
    await quietly(function* () {
      let served = 0;
      const server = yield* startServer(
        function* (streams) {
          served++;
          expect(streams.writer.getExtraInfo("peercert")).toMatchObject({ subject: { CN: "client" } });
          yield* echo(streams);
        },
        "127.0.0.1",
        0,
        { tls: { ...good, requestCert: true, ca: client.cert } },
      );
      const known = yield* openConnection("127.0.0.1", server.port, { tls: { ca, ...client } });
      yield* known.writer.send("x\n");
      expect(String(yield* known.reader.readline())).toBe("x\n");
      known.writer.close();
      for (const identity of [{}, other]) {
        const failed = yield* refusing(
          (function* () {
            // With TLS 1.3, a client hears of it when it reads.
            const { reader, writer } = yield* openConnection("127.0.0.1", server.port, { tls: { ca, ...identity } });
            try {
              if ((yield* reader.read()).length === 0) throw new Error("ended");
            } finally {
              writer.close();
            }
          })(),
        );
        expect(failed).toBeDefined();
      }
      expect(served).toBe(1);
      yield* server.shutdown();
    });
  });

  test("a TLS server, goes on after garbage and silence instead of a handshake; in debug mode it tells [real]", async () => {
    const errors = await really(function* () {
      const server = yield* startServer(echo, "127.0.0.1", 0, { tls: { ...good, handshakeTimeout: 1000 } });
      server.getLoop().setDebug(true);
      const garbage = rawConnect(server.port, "127.0.0.1").on("error", () => {});
      garbage.write("GET / HTTP/1.1\r\n\r\n");
      const silent = rawConnect(server.port, "127.0.0.1").on("error", () => {});
      let closed = 0;
      for (const each of [garbage, silent]) each.on("close", () => closed++).resume();
      while (closed < 2) yield* sleep(5);
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port, { tls: { ca } });
      yield* writer.send("still here\n");

      expect(String(yield* reader.readline())).toBe("still here\n");
      writer.close();
      yield* server.shutdown();
    });

    expect(errors.length).toBe(2);
    for (const { message } of errors) expect(message).toMatch(/^TLS handshake with (127\.0\.0\.1|a client) failed$/);
  });

  test("Server.shutdown(), closes a connection whose TLS handshake is not done [real]", async () => {
    await quietly(function* () {
      const server = yield* startServer(echo, "127.0.0.1", 0, { tls: good });
      const silent = yield* openConnection("127.0.0.1", server.port);
      yield* sleep(5);
      yield* server.shutdown({ grace: 5, linger: 0 });

      expect((yield* silent.reader.read()).length).toBe(0);
      silent.writer.close();
    });
  });

  test("openConnection({ tls }), to a server that does not answer: handshakeTimeout, timeout and cancel() end it [real]", async () => {
    const silent = createServer((socket) => socket.on("error", () => {}).resume());
    await once(silent.listen(0, "127.0.0.1"), "listening");
    const { port } = silent.address() as { port: number };
    await quietly(function* () {
      const late = yield* refusing(openConnection("127.0.0.1", port, { tls: { ca, handshakeTimeout: 300 } }));
      const later = yield* refusing(openConnection("127.0.0.1", port, { tls: { ca }, timeout: 300 }));
      const task = createTask(openConnection("127.0.0.1", port, { tls: { ca } }));
      yield* sleep(10);
      yield* task.cancelAndWait();

      expect(late).toBeInstanceOf(TimeoutError);
      expect((late as Error).message).toBe(`Cannot connect to 127.0.0.1:${port}: the TLS handshake was not done within 300 ms`);
      expect(later).toBeInstanceOf(TimeoutError);
      expect((later as Error).message).toMatch(/no answer within 300 ms, but the TLS handshake was not done$/);
      expect(task.cancelled()).toBe(true);
    });
    silent.close();
    await once(silent, "close");
  });

  test("openConnection({ tls }), to a server that hangs up or speaks no TLS, fails at once [real]", async () => {
    const rude = createServer((socket) =>
      socket
        .on("error", () => {})
        .resume()
        .end("220 hello\r\n"),
    );
    const gone = createServer((socket) => socket.on("error", () => {}).destroy());
    for (const server of [rude, gone]) {
      await once(server.listen(0, "127.0.0.1"), "listening");
      await quietly(function* () {
        const { port } = server.address() as { port: number };
        const error = yield* refusing(openConnection("127.0.0.1", port, { tls: { ca } }));
        expect(error).toBeInstanceOf(NetworkError);
        expect((error as Error).message).toContain(`Cannot connect to 127.0.0.1:${port}: `);
      });
      server.close();
      await once(server, "close");
    }
  });

  test("large transfers by TLS, both ways at once and with half-close, are complete [real]", async () => {
    await quietly(function* () {
      const server = yield* startServer(
        function* ({ reader, writer }) {
          for (;;) {
            const bytes = yield* reader.read(100_000);
            if (bytes.length === 0) break;
            yield* writer.send(bytes);
          }
        },
        "127.0.0.1",
        0,
        { tls: good },
      );
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port, { tls: { ca } });
      const sending = createTask(function* () {
        for (let i = 0; i < 50; i++) yield* writer.send(Buffer.alloc(65_537, i));
        writer.writeEof();
      });
      const all = yield* reader.read();
      yield* sending;

      expect(all.length).toBe(50 * 65_537);
      for (let i = 0; i < 50; i++) expect(all[i * 65_537]).toBe(i);
      writer.close();
      yield* server.shutdown();
    });
  });

  test("half-close by TLS, lets the server answer when all was said [real]", async () => {
    await quietly(function* () {
      const server = yield* startServer(
        function* ({ reader, writer }) {
          const all = yield* reader.read();
          yield* sleep(5);
          yield* writer.send(`${all.length} bytes`);
        },
        "127.0.0.1",
        0,
        { tls: good },
      );
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port, { tls: { ca } });
      yield* writer.send(Buffer.alloc(100_000));
      writer.writeEof();

      expect(String(yield* reader.read())).toBe("100000 bytes");
      writer.close();
      yield* server.shutdown();
    });
  });

  /** A protocol with STARTTLS, as a server speaks it. */
  function* starting({ reader, writer }: Streams) {
    yield* writer.send("220 ready\n");
    expect(String(yield* reader.readline())).toBe("STARTTLS\n");
    yield* writer.send("220 go ahead\n");
    yield* writer.startTls(good);
    yield* echo({ reader, writer });
  }

  test("writer.startTls(), on both sides, goes on with the same reader and writer [real]", async () => {
    await quietly(function* () {
      const server = yield* startServer(starting, "127.0.0.1", 0);
      const one = function* () {
        const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
        expect(String(yield* reader.readline())).toBe("220 ready\n");
        yield* writer.send("STARTTLS\n");
        expect(String(yield* reader.readline())).toBe("220 go ahead\n");
        expect(writer.getExtraInfo("cipher")).toBe(undefined);
        yield* writer.startTls({ ca });
        expect(writer.getExtraInfo("cipher")).toBeDefined();
        yield* writer.send("secret\n");
        expect(String(yield* reader.readline())).toBe("secret\n");
        expect(() => writer.startTls({ ca })).toThrow("it uses TLS already");
        writer.close();
        yield* writer.waitClosed();
      };
      yield* gather(...Array.from({ length: 20 }, one));
      yield* server.shutdown();
    });
  });

  test("writer.startTls() of a server, lets it answer a client that has half-closed, and ends when one gives up [real]", async () => {
    const errors = await really(function* () {
      const server = yield* startServer(
        function* ({ reader, writer }) {
          yield* reader.readline();
          yield* writer.send("go\n");
          yield* writer.startTls(good);
          const all = yield* reader.read();
          yield* sleep(5);
          yield* writer.send(`${all.length} bytes`);
        },
        "127.0.0.1",
        0,
      );
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      yield* writer.send("STARTTLS\n");
      yield* reader.readline();
      yield* writer.startTls({ ca });
      yield* writer.send(Buffer.alloc(100_000));
      writer.writeEof();
      expect(String(yield* reader.read())).toBe("100000 bytes");
      writer.close();

      const quitter = yield* openConnection("127.0.0.1", server.port);
      yield* quitter.writer.send("STARTTLS\n");
      yield* quitter.reader.readline();
      quitter.writer.writeEof();
      while (server.connections > 0) yield* sleep(1);
      quitter.writer.close();
      yield* server.shutdown();
    });

    expect(errors.map(({ exception }) => (exception as NetworkError).code)).toEqual(["ECONNRESET"]);
  });

  test("writer.startTls(), is refused when something came in the clear and was not read [real]", async () => {
    const errors = await really(function* () {
      const server = yield* startServer(starting, "127.0.0.1", 0);
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      yield* writer.send("STARTTLS\nMAIL FROM:<attacker>\n");
      yield* reader.read();
      writer.close();
      yield* server.shutdown();
    });

    expect(errors.length).toBe(1);
    expect(errors[0]?.exception).toMatchObject({ name: "RuntimeError", code: "PLAINTEXT_BEFORE_TLS" });
    expect(String(errors[0]?.exception)).toContain("21 bytes were received in the clear");
  });

  test("writer.startTls(), takes what comes in the clear, while it sends what was written before, for TLS [real]", async () => {
    const size = 20_000_000;
    const errors = await really(function* () {
      const server = yield* startServer(
        function* ({ reader, writer }) {
          yield* reader.readline();
          writer.write(Buffer.alloc(size));
          yield* writer.startTls(good);
          yield* echo({ reader, writer });
        },
        "127.0.0.1",
        0,
      );
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      yield* writer.send("STARTTLS\n");
      yield* reader.readexactly(1);
      yield* sleep(5);
      yield* writer.send("an attacker's line\n");
      yield* sleep(20);
      yield* reader.readexactly(size - 1);

      expect(yield* refusing(writer.startTls({ ca }))).toBeInstanceOf(NetworkError);
      yield* server.shutdown();
    });

    expect(errors.length).toBe(1);
    expect(errors[0]?.exception).toBeInstanceOf(NetworkError);
  });

  test("writer.startTls(), is refused while a task reads, in memory, when closed, and with wrong options [real]", async () => {
    await quietly(function* () {
      const server = yield* startServer(({ reader }) => reader.read(), "127.0.0.1", 0);
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      const reading = createTask(reader.read());
      yield* sleep(1);
      expect(yield* refusing(writer.startTls({ ca }))).toMatchObject({ code: "READER_BUSY" });
      yield* reading.cancelAndWait();
      expect(() => writer.startTls(5 as never)).toThrow("Expected `options` to be an object");
      expect(() => writer.startTls({ handshakeTimeout: -1 })).toThrow("handshakeTimeout");
      writer.close();
      expect(yield* refusing(writer.startTls({ ca }))).toMatchObject({ code: "CLOSED" });
      yield* server.shutdown();
    });
    await virtually(function* () {
      const [{ writer }] = streamPair();
      expect(() => writer.startTls()).toThrow("it is no network connection");
      yield* sleep(0);
    });
  });

  test("writer.startTls(), that fails, is given up, or has a wrong key, closes the connection and tells its reader [real]", async () => {
    const errors = await really(function* () {
      const server = yield* startServer(starting, "127.0.0.1", 0);
      const hello = function* (options: object) {
        const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
        yield* reader.readline();
        yield* writer.send("STARTTLS\n");
        yield* reader.readline();
        const error = yield* refusing(writer.startTls(options));
        expect(writer.isClosing()).toBe(true);
        expect(yield* refusing(reader.readline())).toBeDefined();
        return error;
      };
      expect(yield* hello({})).toMatchObject({ name: "NetworkError", code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
      expect(yield* hello({ ca, key: "no key", cert: "none" })).toBeInstanceOf(NetworkError);

      const silent = yield* startServer(({ reader }) => reader.read(), "127.0.0.1", 0);
      const { reader, writer } = yield* openConnection("127.0.0.1", silent.port);
      const task = createTask(writer.startTls({ ca }));
      yield* sleep(5);
      expect(() => writer.write("in between")).toThrow("a TLS handshake is under way");
      expect(() => writer.writeEof()).toThrow("a TLS handshake is under way");
      yield* task.cancelAndWait();
      expect(task.cancelled()).toBe(true);
      expect(String(yield* refusing(reader.read()))).toContain("given up");
      yield* refusing(writer.waitClosed());
      yield* gather(server.shutdown({ grace: 100 }), silent.shutdown());
    });

    for (const { exception } of errors) expect(exception).toMatchObject({ name: "NetworkError" });
  });
});

test("openConnection({ tls }) to a port in the clear and startTls(), need no certificate to be refused", () => {
  expect(() => openConnection("a", 1, { tls: 5 as never })).toThrow("Expected `tls` to be true or an object");
});
