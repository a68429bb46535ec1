/** StreamReader and StreamWriter, in memory and on sockets. After CPython's test_streams.py. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Coroutine, createTask, gather, IncompleteReadError, LimitOverrunError, type Operation, sleep } from "tsyncio";
import {
  ConnectionLostError,
  openConnection,
  openUnixConnection,
  StreamReader,
  type Streams,
  startServer,
  startUnixServer,
  streamPair,
} from "tsyncio/net";
import { afterAll, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates } from "../net/certificates.ts";
import { quietly, refusing } from "../net/support.ts";
import { virtually } from "../support/virtual.ts";

const DATA = "line1\nline2\nline3\n";
const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const made: Certificates | null = makeCertificates();
const folder = mkdtempSync(join(tmpdir(), "tsyncio-streams-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is there and was not read. */
function* rest(reader: StreamReader): Coroutine<string> {
  return String(yield* reader.read(reader.buffered));
}

/** The text that a read gives, when this comes while it waits. */
function* readWhile(reader: StreamReader, read: Operation<Buffer>, ...parts: (string | null)[]): Coroutine<string> {
  const reading = createTask(read);
  yield* sleep(0);
  for (const part of parts) {
    if (part === null) reader.feedEof();
    else reader.feedData(bytes(part));
  }
  return String(yield* reading);
}

describe("StreamReader", () => {
  test("feedData(), keeps what it is given, and nothing of nothing", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      const reading = createTask(reader.read(10));
      yield* sleep(0);
      reader.feedData(bytes(""));
      yield* sleep(0);
      expect([reader.buffered, reading.done()]).toEqual([0, false]);
      reader.feedData(bytes(DATA));
      expect(reader.buffered).toBe(DATA.length);
      expect(String(yield* reading) + (yield* rest(reader))).toBe(DATA);
    });
  });

  test("read(n), gives what comes while it waits, and nothing at the end", async () => {
    await virtually(function* () {
      const reader = new StreamReader();

      expect(yield* readWhile(reader, reader.read(30), DATA)).toBe(DATA);
      expect(reader.buffered).toBe(0);
      expect(yield* readWhile(reader, reader.read(1024), null)).toBe("");
    });
  });

  test.each([undefined, -1])("read(%s), gives all that comes while it waits, up to the end", async (n) => {
    await virtually(function* () {
      const reader = new StreamReader();

      expect(yield* readWhile(reader, reader.read(n), "chunk1\n", "chunk2", null)).toBe("chunk1\nchunk2");
      expect(reader.atEof()).toBe(true);
    });
  });

  test("read(n) and readexactly(n), give more than the limit", async () => {
    await virtually(function* () {
      const reader = new StreamReader({ limit: 3 });
      reader.feedData(bytes("chunkchunk"));

      expect(String(yield* reader.read(5))).toBe("chunk");
      expect(String(yield* reader.readexactly(5))).toBe("chunk");
      expect(reader.buffered).toBe(0);
    });
  });

  test("readline(), waits for the end of the line, and leaves what comes behind it", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      reader.feedData(bytes("chunk1 "));

      expect(yield* readWhile(reader, reader.readline(), "chunk2 ", "chunk3 ", "\n chunk4")).toBe("chunk1 chunk2 chunk3 \n");
      expect(yield* rest(reader)).toBe(" chunk4");
    });
  });

  test("readline(), lets read(n) go on behind the line", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      reader.feedData(bytes(DATA.slice(0, 6)));
      reader.feedData(bytes(DATA.slice(6)));

      expect(String(yield* reader.readline())).toBe("line1\n");
      expect(String(yield* reader.read(7))).toBe("line2\nl");
      expect(yield* rest(reader)).toBe("ine3\n");
    });
  });

  test.each<[string, string[], string]>([
    ["a line that is there", ["li", "ne1\nline2\n"], "line2\n"],
    ["a line that has no end yet", ["li", "ne1", "li"], ""],
    ["one byte above the limit, with an end", ["1234\nx"], "x"],
    ["one byte above the limit, without an end", ["1234"], ""],
  ])("readline(), throws away what is above the limit: %s", async (_, parts, left) => {
    await virtually(function* () {
      const reader = new StreamReader({ limit: 3 });
      for (const part of parts) reader.feedData(bytes(part));

      expect(yield* refusing(reader.readline())).toBeInstanceOf(LimitOverrunError);
      expect(yield* rest(reader)).toBe(left);
    });
  });

  test("readline(), takes a line of exactly the limit", async () => {
    await virtually(function* () {
      const reader = new StreamReader({ limit: 7 });
      reader.feedData(bytes("1234567\n"));

      expect(String(yield* reader.readline())).toBe("1234567\n");
    });
  });

  test.each<[string, string[], string]>([
    ["one that ends in the last piece", ["chunk1", "chunk2", "chunk3\n"], ""],
    ["one before another line", ["chunk1", "chunk2\n", "chunk3\n"], "chunk3\n"],
  ])("readline(), throws away a line above the limit that comes while it waits: %s", async (_, parts, left) => {
    await virtually(function* () {
      const reader = new StreamReader({ limit: 7 });

      expect(yield* refusing(readWhile(reader, reader.readline(), ...parts, null))).toBeInstanceOf(LimitOverrunError);
      expect(yield* rest(reader)).toBe(left);
    });
  });

  test("atEof(), is true once the stream has ended and all was read", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      const seen = [reader.atEof()];
      reader.feedData(bytes("some data\n"));
      seen.push(reader.atEof());
      yield* reader.readline();
      seen.push(reader.atEof());
      reader.feedData(bytes("some data\n"));
      reader.feedEof();
      seen.push(reader.atEof());
      yield* reader.readline();

      expect([...seen, reader.atEof()]).toEqual([false, false, false, false, true]);
    });
  });

  test("readuntil(), finds a separator wherever the pieces divide it and what looks like it", async () => {
    const cases: [string, string[], string, string][] = [
      ["AAA", ["lineAAA"], "lineAAA", ""],
      ["AAA", ["lineAAAxxx"], "lineAAA", "xxx"],
      ["aaa", ["QWEaa", "XYaa", "a"], "QWEaaXYaaa", ""],
      ["aaa", ["QWEaa", "XYa", "aa"], "QWEaaXYaaa", ""],
      ["aaa", ["aaa"], "aaa", ""],
      ["aaa", ["Xaaa"], "Xaaa", ""],
      ["aaa", ["XXX", "a", "a", "a"], "XXXaaa", ""],
    ];
    await virtually(function* () {
      for (const [separator, parts, found, left] of cases) {
        const [there, coming] = [new StreamReader(), new StreamReader()];
        for (const part of parts) there.feedData(bytes(part));

        expect(String(yield* there.readuntil(separator))).toBe(found);
        expect(yield* rest(there)).toBe(left);
        expect(yield* readWhile(coming, coming.readuntil(separator), ...parts)).toBe(found);
      }
    });
  });

  test("readuntil(), at the end, throws what was there, which is taken out", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      reader.feedData(bytes("some dataAA"));
      reader.feedEof();
      const error = (yield* refusing(reader.readuntil("AAA"))) as IncompleteReadError;

      expect(error).toBeInstanceOf(IncompleteReadError);
      expect([String(error.partial), error.expected]).toEqual(["some dataAA", undefined]);
      expect(error.message).toBe("Expected more bytes, got 11 before the end of the stream");
      expect(reader.buffered).toBe(0);
    });
  });

  test("readuntil(), above the limit, leaves all, whether the separator is there or not", async () => {
    await virtually(function* () {
      const reader = new StreamReader({ limit: 3 });
      reader.feedData(bytes("some dataAA"));
      const before = (yield* refusing(reader.readuntil("AAA"))) as LimitOverrunError;
      reader.feedData(bytes("A"));
      const behind = (yield* refusing(reader.readuntil("AAA"))) as LimitOverrunError;

      expect([before, behind]).toEqual([expect.any(LimitOverrunError), expect.any(LimitOverrunError)]);
      expect([before.consumed, behind.consumed]).toEqual([9, 9]);
      expect(yield* rest(reader)).toBe("some dataAAA");
    });
  });

  test("readuntil(), of several separators, takes the one that ends first, in whatever order they are given", async () => {
    await virtually(function* () {
      for (const [ends, parts] of [
        [
          ["\r", "\n"],
          ["DEF", "BCDE"],
        ],
        [
          ["\n", "\r"],
          ["BCDE", "DEF"],
        ],
      ] as const) {
        const reader = new StreamReader();
        reader.feedData(bytes("line 1\nline 2\r"));

        expect(String(yield* reader.readuntil(ends))).toBe("line 1\n");
        expect(String(yield* reader.readuntil(ends))).toBe("line 2\r");
        reader.feedData(bytes("ABCDEFG"));
        expect(String(yield* reader.readuntil(parts))).toBe("ABCDE");
        expect(yield* rest(reader)).toBe("FG");
      }
    });
  });

  test("readuntil(), of separators that end together, counts the limit by the shortest, in whatever order they are given", async () => {
    await virtually(function* () {
      for (const separators of [
        ["A", "ome dataA"],
        ["ome dataA", "A"],
      ]) {
        const reader = new StreamReader({ limit: 3 });
        reader.feedData(bytes("some dataA"));

        expect(yield* refusing(reader.readuntil(separators))).toMatchObject({ name: "LimitOverrunError", consumed: 9 });
        expect(yield* rest(reader)).toBe("some dataA");
      }
    });
  });

  test("readuntil(), finds a short separator beside one that is longer than what is there", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      reader.feedData(bytes("data"));

      expect(yield* readWhile(reader, reader.readuntil(["A", "long sep"]), "Z", "Aaaa")).toBe("dataZA");
      expect(yield* rest(reader)).toBe("aaa");
    });
  });

  test("readexactly(n), gives so many of what comes while it waits, and leaves the others", async () => {
    await virtually(function* () {
      const reader = new StreamReader();

      expect(yield* readWhile(reader, reader.readexactly(2 * DATA.length), DATA, DATA, DATA)).toBe(DATA + DATA);
      expect(yield* rest(reader)).toBe(DATA);
    });
  });

  test("readexactly(n), of nothing or less, takes nothing", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      reader.feedData(bytes(DATA));

      expect((yield* reader.readexactly(0)).length).toBe(0);
      expect(() => reader.readexactly(-1)).toThrow(RangeError);
      expect(yield* rest(reader)).toBe(DATA);
    });
  });

  test("readexactly(n), when the stream ends before, throws what there was, and how much was expected", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      const error = (yield* refusing(readWhile(reader, reader.readexactly(36), DATA, null))) as IncompleteReadError;

      expect(error.message).toBe("Expected 36 bytes, got 18 before the end of the stream");
      expect([String(error.partial), error.expected]).toEqual([DATA, 36]);
      expect(reader.buffered).toBe(0);
    });
  });

  test.each<[string, (reader: StreamReader) => Operation<Buffer>]>([
    ["read", (reader) => reader.read(2)],
    ["readexactly", (reader) => reader.readexactly(2)],
    ["readline", (reader) => reader.readline()],
    ["readuntil", (reader) => reader.readuntil("n")],
  ])("setException(), is thrown by %s(), now and when it waits", async (_, read) => {
    await virtually(function* () {
      const [now, later] = [new StreamReader(), new StreamReader()];
      now.feedData(bytes("line\n"));
      expect(String(yield* now.read(2))).toBe("li");
      expect(now.exception()).toBe(null);
      const broken = new RangeError("broken");
      now.setException(broken);
      const waiting = createTask(refusing(read(later)));
      yield* sleep(0);
      later.setException(broken);

      expect(now.exception()).toBe(broken);
      expect(yield* refusing(read(now))).toBe(broken);
      expect(yield* waiting).toBe(broken);
    });
  });

  test("setException(), after a read was cancelled, wakes nobody, and is thrown to the next", async () => {
    await virtually(function* () {
      const reader = new StreamReader();
      const reading = createTask(reader.readline());
      yield* sleep(0);
      reading.cancel();
      yield* sleep(0);
      reader.setException(new RangeError("message"));
      yield* sleep(0);

      expect(reading.cancelled()).toBe(true);
      expect(yield* refusing(reader.readline())).toBeInstanceOf(RangeError);
    });
  });

  test("String(reader), tells its state, and how much is there", () => {
    const reader = new StreamReader();
    const seen = [String(reader)];
    reader.feedData(bytes("data"));
    seen.push(String(reader));
    reader.feedEof();
    seen.push(String(reader));
    reader.setException(new RangeError("broken"));

    expect([...seen, String(reader)]).toEqual([
      "<StreamReader open, 0 bytes buffered>",
      "<StreamReader open, 4 bytes buffered>",
      "<StreamReader ended, 4 bytes buffered>",
      "<StreamReader failed: broken, 4 bytes buffered>",
    ]);
  });
});

test("StreamWriter.drain(), ends for all of those that wait", async () => {
  await virtually(function* () {
    const [a, b] = streamPair();
    a.writer.setWriteBufferLimits({ high: 10 });
    // Far above its limit, so that it takes no more.
    b.reader.feedData(Buffer.alloc(200_000));
    a.writer.write("x".repeat(100));
    let drained = 0;
    const drains = Array.from({ length: 10 }, () =>
      createTask(function* () {
        yield* a.writer.drain();
        drained++;
      }),
    );
    yield* sleep(1);
    const before = drained;
    yield* b.reader.readexactly(200_100);
    yield* gather(...drains);

    expect([before, drained]).toEqual([0, 10]);
  });
});

/** Says a line to each that asks for it, then more, and the end. */
function* page({ reader, writer }: Streams): Coroutine<void> {
  if ((yield* reader.readline()).length === 0) return;
  writer.write("HTTP/1.0 200 OK\r\n");
  yield* writer.send("\r\nTest message");
}

const unix = process.platform !== "win32";
const kinds = ["TCP", ...(unix ? ["a Unix socket"] : [])];
let paths = 0;

/** Runs a body with what connects to a server of such a kind. */
function* connecting(
  kind: string,
  body: (connect: () => Operation<Streams>) => Coroutine<void>,
  tls?: Certificates,
): Coroutine<void> {
  const [forServer, forClient] = tls ? [{ tls: tls.good }, { tls: { ca: tls.good.cert, servername: "localhost" } }] : [{}, {}];
  const path = join(folder, `${paths++}.sock`);
  const server = yield* kind === "TCP" ? startServer(page, "127.0.0.1", 0, forServer) : startUnixServer(page, path, forServer);
  yield* body(() =>
    kind === "TCP" ? openConnection("127.0.0.1", server.port, forClient) : openUnixConnection(path, forClient),
  );
  yield* server.shutdown();
}

describe.each(kinds)("a connection by %s", (kind) => {
  test("is read line by line, and to its end [real]", async () => {
    await quietly(() =>
      connecting(kind, function* (connect) {
        const { reader, writer } = yield* connect();
        writer.write("GET / HTTP/1.0\r\n");

        expect(String(yield* reader.readline())).toBe("HTTP/1.0 200 OK\r\n");
        expect(String(yield* reader.read())).toBe("\r\nTest message");
        writer.close();
      }),
    );
  });

  test.skipIf(made === null)("is read to its end by TLS as well [real]", async () => {
    await quietly(() =>
      connecting(
        kind,
        function* (connect) {
          const { reader, writer } = yield* connect();
          writer.write("GET / HTTP/1.0\r\n");

          expect(writer.getExtraInfo("cipher")).toBeDefined();
          expect(String(yield* reader.read())).toBe("HTTP/1.0 200 OK\r\n\r\nTest message");
          writer.close();
          yield* writer.waitClosed();
        },
        made as Certificates,
      ),
    );
  });

  test("that fails, tells its reader by what [real]", async () => {
    await quietly(() =>
      connecting(kind, function* (connect) {
        const { reader, writer } = yield* connect();
        const broken = new RangeError("broken");
        writer.getExtraInfo<Socket>("socket")?.destroy(broken);

        expect(yield* refusing(reader.read())).toBe(broken);
        writer.close();
        expect(yield* refusing(writer.waitClosed())).toBe(broken);
      }),
    );
  });

  test("writer.waitClosed(), after close(), ends, whether all was read or not [real]", async () => {
    await quietly(() =>
      connecting(kind, function* (connect) {
        for (const readsAll of [true, false]) {
          const { reader, writer } = yield* connect();
          writer.write("GET / HTTP/1.0\r\n");
          yield* reader.readline();
          if (readsAll) yield* reader.read();
          expect(writer.isClosing()).toBe(false);
          writer.close();
          expect(writer.isClosing()).toBe(true);
          yield* writer.waitClosed();
        }
      }),
    );
  });

  test("writer.close(), ends the reader: nothing comes any more [real]", async () => {
    await quietly(() =>
      connecting(kind, function* (connect) {
        const { reader, writer } = yield* connect();
        writer.close();
        yield* writer.waitClosed();

        expect(reader.atEof()).toBe(true);
        expect((yield* reader.read()).length).toBe(0);
      }),
    );
  });
});

test("a connection, read and closed in an async function, reports nothing [real]", async () => {
  await quietly(async () => {
    await using server = await startServer(page, "127.0.0.1", 0);
    const { reader, writer } = await openConnection("127.0.0.1", server.port);
    writer.write("GET / HTTP/1.0\r\n");

    expect(String(await reader.readline())).toBe("HTTP/1.0 200 OK\r\n");
    expect(String(await reader.read())).toBe("\r\nTest message");
    writer.close();
    await writer.waitClosed();
  });
});

describe.each(["function*", "async function"])("in a %s", (spelling) => {
  test("writer.write() and drain() in a loop, end by ConnectionLostError, when the other side has closed [real]", async () => {
    const other = createServer((socket) => socket.destroy());
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as AddressInfo;
    const job =
      spelling === "function*"
        ? function* (): Coroutine<void> {
            const { writer } = yield* openConnection("127.0.0.1", port);
            for (;;) {
              writer.write("foo\n");
              yield* writer.drain();
            }
          }
        : async (): Promise<void> => {
            const { writer } = await openConnection("127.0.0.1", port);
            for (;;) {
              writer.write("foo\n");
              await writer.drain();
            }
          };

    await expect(quietly(job)).rejects.toBeInstanceOf(ConnectionLostError);
    other.close();
    await once(other, "close");
  });
});
