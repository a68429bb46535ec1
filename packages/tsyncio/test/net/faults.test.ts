import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, connect as rawConnect, Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { type Coroutine, createTask, gather, LimitOverrunError, sleep } from "tsyncio";
import { ConnectionLostError, openConnection, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { echo, quietly, really, refusing } from "./support.ts";

/** A server of Node's own, that does with each connection what a fault does; and its port. */
async function rawServer(serve: (socket: Socket) => void) {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    serve(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    async close() {
      server.close();
      for (const each of open) each.destroy();
      await once(server, "close");
    },
  };
}

/** Runs a job with a connection's other side that does what a fault does. */
async function against(serve: (socket: Socket) => void, job: (port: number) => Coroutine<void>): Promise<void> {
  await quietly(async () => {
    const raw = await rawServer(serve);
    try {
      await createTask(job(raw.port));
    } finally {
      await raw.close();
    }
  });
}

test("a peer that resets the connection, ends reads, writes and waitClosed() with that error, and what came before is not lost twice [real]", async () => {
  await against(
    (socket) => {
      socket.write("first\n");
      socket.once("data", () => socket.resetAndDestroy());
    },
    function* (port) {
      const { reader, writer } = yield* openConnection("127.0.0.1", port);
      expect(String(yield* reader.readline())).toBe("first\n");
      yield* writer.send("now");
      const error = yield* refusing(reader.read());

      expect(error).toMatchObject({ code: "ECONNRESET" });
      expect(reader.exception()).toBe(error);
      expect(yield* refusing(reader.readline())).toBe(error);
      expect(yield* refusing(writer.waitClosed())).toBe(error);
      const lost = yield* refusing(writer.send("more"));
      expect(lost).toBeInstanceOf(ConnectionLostError);
      expect((lost as Error).cause).toBe(error);
      writer.write("dropped, as in asyncio");
      writer.close();
    },
  );
});

test("a peer that stalls, holds send() up at the high-water mark; cancelled, abort() gets rid of it [real]", async () => {
  await against(
    (socket) => socket.pause(),
    function* (port) {
      const { writer } = yield* openConnection("127.0.0.1", port);
      let sent = 0;
      const sending = createTask(function* () {
        for (;;) {
          yield* writer.send(Buffer.alloc(100_000));
          sent += 100_000;
        }
      });
      let before = -1;
      while (sent !== before) {
        before = sent;
        yield* sleep(20);
      }
      expect(writer.writeBufferSize).toBeGreaterThan(65_536);
      expect(writer.writeBufferSize).toBeLessThan(300_000);
      yield* sending.cancelAndWait();
      writer.close();
      const closing = createTask(writer.waitClosed());
      yield* sleep(5);
      expect(closing.done()).toBe(false);
      writer.abort();
      yield* closing;
    },
  );
});

test("a peer that is aborted while send() waits, tells it [real]", async () => {
  await against(
    (socket) => {
      socket.pause();
      setTimeout(() => socket.resetAndDestroy(), 20);
    },
    function* (port) {
      const { writer } = yield* openConnection("127.0.0.1", port);
      const error = yield* refusing(
        (function* () {
          for (;;) yield* writer.send(Buffer.alloc(1_000_000));
        })(),
      );
      expect(error).toBeInstanceOf(ConnectionLostError);
      expect((error as Error).message).toBe(`Cannot write: connection to 127.0.0.1:${port} is closed`);
      expect((error as { cause?: { code?: string } }).cause?.code).toMatch(/ECONNRESET|EPIPE/);
    },
  );
});

test("writer.abort(), while send() waits, is told to it [real]", async () => {
  await against(
    (socket) => socket.pause(),
    function* (port) {
      for (let i = 0; i < 10; i++) {
        const { writer } = yield* openConnection("127.0.0.1", port);
        const sending = createTask(writer.send(Buffer.alloc(20_000_000)));
        yield* sleep(2);
        writer.abort();
        yield* sending.join();
        expect(sending.exception()).toBeInstanceOf(ConnectionLostError);
        yield* writer.waitClosed();
      }
    },
  );
});

test("a peer that drips one byte at a time, is read as if it came at once [real]", async () => {
  const text = "drip by drip\nuntil the end";
  await against(
    (socket) => {
      socket.resume();
      let i = 0;
      const drip = (): unknown =>
        i < text.length ? socket.write(text[i++] as string, () => setImmediate(drip)) : socket.end();
      socket.setNoDelay(true);
      drip();
    },
    function* (port) {
      const { reader, writer } = yield* openConnection("127.0.0.1", port);
      expect(String(yield* reader.readuntil(["by ", "never"]))).toBe("drip by ");
      expect(String(yield* reader.readline())).toBe("drip\n");
      expect(String(yield* reader.readexactly(5))).toBe("until");
      const error = yield* refusing(reader.readuntil("!"));
      expect(error).toMatchObject({ name: "IncompleteReadError", partial: Buffer.from(" the end") });
      writer.close();
    },
  );
});

test("a peer that sends without end, is held back when nobody reads, and a line without end is refused [real]", async () => {
  let sent = 0;
  await against(
    (socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(10_000, "x"))) sent += 10_000;
      };
      socket.on("drain", more);
      more();
    },
    function* (port) {
      const { reader, writer } = yield* openConnection("127.0.0.1", port, { limit: 1000 });
      let before = -1;
      while (sent !== before) {
        before = sent;
        yield* sleep(20);
      }
      // What one delivery brings, no more.
      expect(reader.buffered).toBeLessThan(200_000);
      const error = yield* refusing(reader.readline());
      expect(error).toBeInstanceOf(LimitOverrunError);
      expect((yield* reader.readexactly(500_000)).length).toBe(500_000);
      writer.abort();
      yield* writer.waitClosed();
    },
  );
});

test("a peer that vanishes in the middle, is told by what was missing; a handler's connection ends with it [real]", async () => {
  const errors = await really(function* () {
    const server = yield* startServer(({ reader }) => reader.readexactly(10), "127.0.0.1", 0);
    const gone = rawConnect(server.port, "127.0.0.1").on("error", () => {});
    gone.write("half", () => gone.destroy());
    while (server.connections === 0) yield* sleep(1);
    while (server.connections > 0) yield* sleep(1);
    yield* server.shutdown();
  });

  expect(errors.map((each) => (each.exception as Error).name)).toEqual(["IncompleteReadError"]);
});

test("a peer that only half-closes, can be written to until it is all said [real]", async () => {
  let complete = 0;
  await against(
    (socket) => {
      socket.end("that was all");
      let got = 0;
      socket.on("data", (data) => {
        got += data.length;
        if (got === 100_000) complete++;
      });
    },
    function* (port) {
      const { reader, writer } = yield* openConnection("127.0.0.1", port);
      expect(String(yield* reader.read())).toBe("that was all");
      expect(reader.atEof()).toBe(true);
      expect(writer.isClosing()).toBe(false);
      yield* writer.send(Buffer.alloc(100_000));
      writer.close();
      yield* writer.waitClosed();
      while (complete === 0) yield* sleep(1);
    },
  );
});

test("listeners of a socket, are gone once its connection is [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    const socket = writer.getExtraInfo<Socket>("socket") as Socket;
    for (let i = 0; i < 100; i++) yield* writer.send("x\n");
    yield* reader.readexactly(200);
    expect(socket.listenerCount("data")).toBe(1);
    expect(socket.listenerCount("drain")).toBe(0);
    writer.close();
    yield* writer.waitClosed();
    for (const event of ["data", "close", "connect"]) expect(socket.listenerCount(event)).toBe(0);
    yield* server.shutdown();
  });
});

test("an error of accept(), is reported once until something is accepted again, and closes nothing [real]", async () => {
  const errors = await really(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const open = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
    const node = open.find(
      (each) => each instanceof Server && (each.address() as { port: number }).port === server.port,
    ) as Server;
    const fail = (): boolean =>
      node.emit("error", Object.assign(new Error("accept EMFILE"), { code: "EMFILE", syscall: "accept" }));
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 3; i++) fail();
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      yield* writer.send("x\n");
      expect(String(yield* reader.readline())).toBe("x\n");
      writer.close();
    }
    yield* server.shutdown();
  });

  expect(errors.length).toBe(2);
  expect(errors[0]?.message).toMatch(/^Cannot accept a connection, server at 127\.0\.0\.1:\d+; it goes on when it can$/);
  expect(errors[0]?.exception).toMatchObject({ code: "EMFILE" });
});

test("too many open files, close the connections that come, and others are accepted again later [real]", {
  timeout: 60_000,
}, (context) => {
  if (process.platform !== "linux") return context.skip("no ulimit here");
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-emfile-"));
  try {
    const source = (path: string): string => join(import.meta.dirname, "../../src", path);
    const program = join(folder, "program.mjs");
    buildSync({
      stdin: {
        contents: `
          import { openSync, closeSync } from "node:fs";
          import { run, sleep, getRunningLoop } from "tsyncio";
          import { startServer, openConnection } from "tsyncio/net";
          await run(function* () {
            const reports = [];
            getRunningLoop().setExceptionHandler((_, { message, exception }) => reports.push([message.split(",")[0], exception.code]));
            const files = [];
            const fill = () => { for (;;) { try { files.push(openSync("/dev/null")); } catch { return; } } };
            const talk = function* ({ reader, writer }) {
              try { return String(yield* reader.read()); } finally { writer.close(); yield* writer.waitClosed(); }
            };
            const full = ({ writer }) => writer.send("served");
            // Node keeps a descriptor back, by which it closes what it cannot accept.
            const first = yield* startServer(full, "127.0.0.1", 0);
            fill();
            closeSync(files.pop());
            const log = [yield* talk(yield* openConnection("127.0.0.1", first.port))];
            for (const each of files.splice(0)) closeSync(each);
            log.push(yield* talk(yield* openConnection("127.0.0.1", first.port)));
            yield* first.shutdown();
            console.log(JSON.stringify({ log, reports }));
          });
        `,
        resolveDir: folder,
      },
      bundle: true,
      platform: "node",
      format: "esm",
      target: "es2022",
      outfile: program,
      alias: { tsyncio: source("index.ts"), "tsyncio/net": source("net/index.ts"), "#host": source("hosts/node.ts") },
    });
    const ended = spawnSync("sh", ["-c", `ulimit -n 60 && exec "${process.execPath}" "${program}"`], { encoding: "utf8" });
    expect(ended.stderr).toBe("");
    const { log, reports } = JSON.parse(ended.stdout);

    expect(log).toEqual(["", "served"]);
    expect(reports).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("frames of a length and a body, in random pieces and with garbage behind, are read without loss or invention [real]", async () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const frames = Array.from({ length: 200 }, () => Buffer.alloc(random(3000)).map(() => random(256)) as Buffer);
  const wire: Buffer[] = [];
  for (const frame of frames) {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(frame.length);
    wire.push(head, frame);
  }
  const garbage = Buffer.from([255, 255, 255, 255, 1, 2, 3]);
  const all = Buffer.concat([...wire, garbage]);
  const read = function* (reader: Parameters<typeof echo>[0]["reader"]) {
    const got: Buffer[] = [];
    for (;;) {
      const length = (yield* reader.readexactly(4)).readUInt32BE();
      if (length > 3000) return { got, rest: yield* reader.read() };
      got.push(yield* reader.readexactly(length));
    }
  };
  await quietly(function* () {
    const results: { got: Buffer[]; rest: Buffer }[] = [];
    const server = yield* startServer(
      function* ({ reader }) {
        results.push(yield* read(reader));
      },
      "127.0.0.1",
      0,
    );
    const send = function* () {
      const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
      for (let at = 0; at < all.length; ) {
        const size = 1 + random([1, 5, 100, 9000][random(4)] as number);
        yield* writer.send(all.subarray(at, at + size));
        at += size;
        if (random(4) === 0) yield* sleep(0);
      }
      writer.writeEof();
      yield* reader.read();
      writer.close();
    };
    yield* gather(send(), send(), send());
    yield* server.shutdown();

    expect(results.length).toBe(3);
    for (const { got, rest } of results) {
      expect(Buffer.concat(got).equals(Buffer.concat(frames))).toBe(true);
      expect(got.map((each) => each.length)).toEqual(frames.map((each) => each.length));
      expect(rest.equals(garbage.subarray(4))).toBe(true);
    }
  });
});
