/**
 * Clients and servers that do what networks do to each other, for a while: afterwards nothing may be left.
 *
 * Three seconds as a part of the suite; `TSYNCIO_SOAK=300 npx vitest run packages/tsyncio/test/net/soak.test.ts` takes five minutes.
 */

import { allTasks, type Coroutine, createTask, gather, getRunningLoop, isCancelled, sleep } from "tsyncio";
import { openConnection, type Streams, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { really } from "./support.ts";

const SECONDS = Number(process.env["TSYNCIO_SOAK"] ?? 3);
const AT_ONCE = 20;

class Oops extends Error {}

/** Serves in one of many ways: whatever the client says first. */
function* serve({ reader, writer }: Streams): Coroutine<void> {
  const how = (yield* reader.readline()).toString().trim();
  if (how === "throw") throw new Oops();
  if (how === "leave") return;
  if (how === "reset") {
    writer.abort();
    return;
  }
  if (how === "silent") yield* sleep(Math.random() * 20);
  for (;;) {
    const bytes = yield* reader.read(1 + Math.floor(Math.random() * 5000));
    if (bytes.length === 0) return;
    yield* writer.send(bytes);
    if (how === "slow") yield* sleep(Math.random() * 3);
  }
}

const WAYS = ["echo", "echo", "slow", "silent", "throw", "leave", "reset", ""];
const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;

type Client = (streams: Streams) => Coroutine<void>;

const CLIENTS: Record<string, Client> = {
  *polite({ reader, writer }) {
    for (let i = 0; i < 5; i++) {
      const sent = Buffer.alloc(1 + Math.floor(Math.random() * 20_000), `${i}`);
      const [, got] = yield* gather(writer.send(sent), reader.readexactly(sent.length));
      expect(got.equals(sent)).toBe(true);
    }
  },
  *halfCloser({ reader, writer }) {
    const sent = Buffer.alloc(100_000, "half");
    yield* writer.send(sent);
    writer.writeEof();
    yield* reader.read();
  },
  *dripper({ reader, writer }) {
    for (const byte of Buffer.from("drip drip")) yield* writer.send(Buffer.of(byte));
    yield* reader.readexactly(9);
  },
  *staller({ writer }) {
    for (let i = 0; i < 50; i++) yield* writer.send(Buffer.alloc(20_000));
  },
  *resetter({ writer }) {
    writer.write(Buffer.alloc(50_000));
    yield* sleep(Math.random() * 3);
    writer.abort();
  },
  *vanisher({ writer }) {
    writer.getExtraInfo<{ destroy(): void }>("socket")?.destroy();
    yield* sleep(0);
  },
  *garbler({ reader, writer }) {
    yield* writer.send(`${"x".repeat(70_000)}\n`);
    yield* reader.readuntil("never");
  },
};

test(`streams, leave nothing behind and lose no byte, after ${SECONDS} s of faults and cancellations [real]`, {
  timeout: (SECONDS + 60) * 1000,
}, async () => {
  const done = new Map<string, number>();
  const errors = await really(function* () {
    const server = yield* startServer(serve, "127.0.0.1", 0);
    const end = getRunningLoop().time() + SECONDS * 1000;
    const visitors = Array.from({ length: AT_ONCE }, () => createTask(visit()));
    yield* gather(visitors);
    yield* server.shutdown({ grace: 0 });
    expect(allTasks().size).toBe(1);

    function* visit(): Coroutine<void> {
      while (getRunningLoop().time() < end) {
        const [name, client] = pick(Object.entries(CLIENTS));
        const task = createTask(call(client));
        if (Math.random() < 0.3) {
          yield* sleep(Math.random() * 8);
          task.cancel();
        }
        yield* task.join();
        if (!task.cancelled()) expectNetworkError(task.exception());
        const what = task.cancelled() ? "cancelled" : name;
        done.set(what, (done.get(what) ?? 0) + 1);
      }
    }

    function* call(client: Client): Coroutine<void> {
      const streams = yield* openConnection("127.0.0.1", server.port);
      try {
        yield* streams.writer.send(`${pick(WAYS)}\n`);
        const talk = createTask(client(streams));
        // Nobody waits for ever: a server may say nothing.
        const patience = createTask(sleep(100));
        try {
          while (!talk.done() && !patience.done()) yield* sleep(1);
          talk.cancel();
          yield* talk;
        } catch (error) {
          if (!isCancelled(error) || !patience.done()) throw error;
        } finally {
          patience.cancel();
          yield* talk.cancelAndWait();
        }
      } finally {
        if (Math.random() < 0.2) streams.writer.abort();
        else streams.writer.close();
      }
    }
  });

  // Handlers fail by what clients do to them, and by nothing else.
  for (const { exception } of errors) if (!(exception instanceof Oops)) expectNetworkError(exception as Error);
  expect([...done.keys()].sort()).toEqual([...Object.keys(CLIENTS), "cancelled"].sort());
});

function expectNetworkError(error: unknown): void {
  if (error === null) return;
  const { code, name } = error as { code?: string; name?: string };
  const known = ["ECONNRESET", "EPIPE", "CONNECTION_LOST", "LIMIT_OVERRUN", "INCOMPLETE_READ", "ERR_STREAM_PREMATURE_CLOSE"];
  expect(known, `${name}: ${(error as Error).message}`).toContain(code);
}
