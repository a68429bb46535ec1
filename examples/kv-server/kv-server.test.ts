import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { gather, run } from "tsyncio";
import { openConnection } from "tsyncio/net";
import { expect, test } from "vitest";
import { portOf, start } from "../shared/programs.ts";
import { startKvServer } from "./kv-server.ts";

const execute = promisify(execFile);
const has = (command: string): boolean => spawnSync(command, ["--version"]).status === 0;
const FOREVER = Number.POSITIVE_INFINITY;
const SETTINGS = { idle: FOREVER, clients: 1000 };

test("kv-server, answers requests that are sent all at once, in order, for many clients [real]", async () => {
  await run(function* () {
    const server = yield* startKvServer("127.0.0.1", 0, SETTINGS, () => {});
    const clients = Array.from({ length: 20 }, (_, i) =>
      (function* () {
        const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
        const n = 500;
        writer.write(Array.from({ length: n }, () => `INCR counter${i}\r\n`).join(""));
        const expected = Array.from({ length: n }, (_, at) => `:${at + 1}\r\n`).join("");
        const answers = (yield* reader.readexactly(expected.length)).toString();
        writer.close();
        yield* writer.waitClosed();
        return answers === expected;
      })(),
    );
    expect(yield* gather(clients)).toEqual(clients.map(() => true));
    yield* server.shutdown();
  });
});

test("kv-server, keeps a value of a megabyte, and refuses what is no request, with an error and the end [real]", async () => {
  await run(function* () {
    const server = yield* startKvServer("127.0.0.1", 0, SETTINGS, () => {});
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    const value = Buffer.alloc(1_000_000, "0123456789");
    writer.writelines([`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`, value, "\r\nGET k\r\n*1\r\n+bad\r\n"]);
    expect((yield* reader.readline()).toString()).toBe("+OK\r\n");
    expect((yield* reader.readline()).toString()).toBe("$1000000\r\n");
    expect((yield* reader.readexactly(value.length)).equals(value)).toBe(true);
    expect((yield* reader.read()).toString()).toBe("\r\n-ERR Protocol error: expected '$', got '+'\r\n");
    writer.close();
    yield* server.shutdown();
  });
});

test("kv-server, disconnects a client that is idle for too long [real]", async () => {
  await run(function* () {
    const server = yield* startKvServer("127.0.0.1", 0, { idle: 50, clients: 5 }, () => {});
    server.getLoop().setExceptionHandler(() => {});
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    expect((yield* reader.read()).length).toBe(0);
    writer.close();
    yield* server.shutdown();
  });
});

test.skipIf(!has("redis-cli"))("kv-server, can be talked to by redis-cli, which may shut it down [real]", async () => {
  const server = start("kv-server/main.js", "0");
  const port = String(await portOf(server));
  const ask = async (...args: string[]): Promise<string> => (await execute("redis-cli", ["-p", port, ...args])).stdout.trim();

  expect(await ask("PING")).toBe("PONG");
  expect(await ask("SET", "key", "a value", "EX", "100")).toBe("OK");
  expect(await ask("GET", "key")).toBe("a value");
  expect(await ask("TTL", "key")).toBe("100");
  expect(await ask("KEYS", "k*")).toBe("key");
  expect(await ask("NOPE")).toBe("ERR unknown command 'NOPE'");
  expect(await ask("INFO")).toContain("connected_clients:1");
  await ask("SHUTDOWN").catch(() => {});
  expect([await server.ended, server.output]).toEqual([0, expect.stringContaining("stopped")]);
});

test.skipIf(!has("redis-benchmark"))(
  "kv-server, answers redis-benchmark without an error, 16 requests at once on 50 connections [real]",
  async () => {
    const server = start("kv-server/main.js", "0");
    const port = String(await portOf(server));
    const args = ["-p", port, "-t", "ping,set,get", "-c", "50", "-P", "16", "-n", "20000", "--csv"];
    const { stdout, stderr } = await execute("redis-benchmark", args);
    server.process.kill("SIGINT");

    expect(stderr).toBe("");
    expect(stdout).toMatch(/"PING_INLINE","\d+[\s\S]*"PING_MBULK","\d+[\s\S]*"SET","\d+[\s\S]*"GET","\d+/);
    expect(await server.ended).toBe(0);
  },
);
