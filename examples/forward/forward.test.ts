import { type Coroutine, createTask, gather, run, sleep } from "tsyncio";
import { openConnection, type Server, type Streams, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { portOf, start } from "../shared/programs.ts";
import { type ForwardSettings, startForwarder, type Totals } from "./forward.ts";

const FOREVER = Number.POSITIVE_INFINITY;
const SETTINGS = { connections: 100, connect: 2000, idle: FOREVER, rate: FOREVER };

/** A target that echoes, a forwarder in front of it, and a body that uses that. */
function forwarded(
  settings: Partial<ForwardSettings>,
  body: (port: number, totals: Totals, log: string[]) => Coroutine<void>,
): Promise<void> {
  return run(function* () {
    const totals: Totals = { up: 0, down: 0, served: 0, failed: 0 };
    const log: string[] = [];
    const target: Server = yield* startServer(echo, "127.0.0.1", 0);
    const given = { ...SETTINGS, targetHost: "127.0.0.1", targetPort: target.port, ...settings };
    const server = yield* startForwarder("127.0.0.1", 0, given, totals, (line) => log.push(line));
    try {
      yield* body(server.port, totals, log);
    } finally {
      yield* server.shutdown({ grace: 0 });
      yield* target.shutdown({ grace: 0 });
    }
  });
}

function* echo({ reader, writer }: Streams): Coroutine<void> {
  for (;;) {
    const bytes = yield* reader.read(65_536);
    if (bytes.length === 0) return;
    yield* writer.send(bytes);
  }
}

test("forward, carries all bytes both ways, and the end of each direction by itself [real]", () =>
  forwarded({}, function* (port: number, totals: Totals) {
    const jobs = Array.from({ length: 20 }, (_, i) => {
      const sent = Buffer.alloc(200_000 + i, `${i};`);
      return function* () {
        const { reader, writer } = yield* openConnection("127.0.0.1", port);
        const sending = createTask(function* () {
          yield* writer.send(sent);
          writer.writeEof();
        });
        const received = yield* reader.read();
        yield* sending;
        writer.close();
        return received.equals(sent);
      };
    });
    expect(yield* gather(jobs)).toEqual(jobs.map(() => true));
    while (totals.served < jobs.length) yield* sleep(1);
    expect([totals.up, totals.down, totals.failed]).toEqual([4_000_190, 4_000_190, 0]);
  }));

test("forward, resets a client whose target does not answer, and goes on [real]", () =>
  forwarded({ targetPort: 1 }, function* (port: number, totals: Totals, log: string[]) {
    for (let i = 1; i <= 2; i++) {
      const { reader, writer } = yield* openConnection("127.0.0.1", port);
      const end = createTask(reader.read());
      yield* end.join();
      writer.close();
      while (totals.failed < i) yield* sleep(1);
    }
    expect(log[0]).toMatch(/^failed: .*127\.0\.0\.1:1.*ECONNREFUSED/s);
  }));

test("forward, ends a connection on which nothing comes for too long, and no other [real]", () =>
  forwarded({ idle: 150 }, function* (port: number, totals: Totals, log: string[]) {
    const [busy, idle] = yield* gather(openConnection("127.0.0.1", port), openConnection("127.0.0.1", port));
    const idleEnd = createTask(idle.reader.read());
    let got = 0;
    while (!idleEnd.done() || got < 10) {
      yield* busy.writer.send("x");
      got += (yield* busy.reader.readexactly(1)).length;
      yield* sleep(20);
    }
    expect(log).toHaveLength(1);
    idle.writer.close();
    busy.writer.close();
    while (totals.served < 1) yield* sleep(1);
  }));

test("forward, the program, forwards until Ctrl-C, and tells what it has carried [real]", async () => {
  const target = start("echo/main.js", "serve", "0");
  const forward = start("forward/main.js", "0", `127.0.0.1:${await portOf(target)}`);
  const client = start("echo/main.js", "say", String(await portOf(forward)), "through");

  expect([await client.ended, client.output]).toEqual([0, "through\n"]);
  forward.process.kill("SIGTERM");
  target.process.kill("SIGINT");
  expect([await forward.ended, forward.output]).toEqual([
    0,
    expect.stringContaining("1 connections served, 0 failed; 8 bytes up, 8 bytes down"),
  ]);
  expect(await target.ended).toBe(0);
});
