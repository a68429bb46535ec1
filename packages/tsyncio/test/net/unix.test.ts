import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTask, sleep } from "tsyncio";
import { NetworkError, openUnixConnection, startUnixServer } from "tsyncio/net";
import { afterAll, describe, expect, test } from "vitest";
import { echo, quietly, refusing } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "tsyncio-unix-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(process.platform === "win32")("Unix sockets", () => {
  test("openUnixConnection() and startUnixServer(), carry lines, know their path, and remove the file at the end [real]", async () => {
    const path = join(folder, "a.sock");
    await quietly(function* () {
      const server = yield* startUnixServer(echo, path);
      const { reader, writer } = yield* openUnixConnection(path);
      yield* writer.send("hi\n");

      expect(String(yield* reader.readline())).toBe("hi\n");
      expect(server.sockets).toEqual([{ address: path, port: 0, family: "Unix" }]);
      expect(String(server)).toBe(`<Server serving, 1 connections, server at ${path}>`);
      expect(writer.getExtraInfo("peername")).toBe(path);
      expect(statSync(path).isSocket()).toBe(true);
      expect(readdirSync(folder)).toEqual(["a.sock"]);
      writer.close();
      yield* server.shutdown();
      expect(readdirSync(folder)).toEqual([]);
    });
  });

  test("startUnixServer(), takes the place of a socket that a dead server has left [real]", async () => {
    const path = join(folder, "stale.sock");
    const program = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    await once(spawn(process.execPath, ["-e", program]), "exit");
    expect(statSync(path).isSocket()).toBe(true);
    await quietly(function* () {
      expect(yield* refusing(openUnixConnection(path))).toMatchObject({ code: "ECONNREFUSED" });
      const server = yield* startUnixServer(echo, path);
      const { reader, writer } = yield* openUnixConnection(path);
      yield* writer.send("hi\n");
      expect(String(yield* reader.readline())).toBe("hi\n");
      writer.close();
      yield* server.shutdown();
      expect(existsSync(path)).toBe(false);
    });
  });

  test("startUnixServer(), leaves a server that is alive, and a file that is no socket, where they are [real]", async () => {
    const path = join(folder, "alive.sock");
    const file = join(folder, "file");
    writeFileSync(file, "precious");
    await quietly(function* () {
      const server = yield* startUnixServer(echo, path);
      const error = yield* refusing(startUnixServer(echo, path));
      expect(error).toBeInstanceOf(NetworkError);
      expect(error).toMatchObject({ code: "EADDRINUSE", syscall: "listen" });
      expect((error as Error).message).toBe(`Cannot listen at ${path}: listen EADDRINUSE: somebody listens there: ${path}`);
      expect(yield* refusing(startUnixServer(echo, file))).toMatchObject({ code: "EADDRINUSE" });
      expect(statSync(file).size).toBe(8);
      const { reader, writer } = yield* openUnixConnection(path);
      yield* writer.send("alive\n");
      expect(String(yield* reader.readline())).toBe("alive\n");
      writer.close();
      yield* server.shutdown();
    });
    unlinkSync(file);
  });

  test("Server.close(), leaves a file that has taken the socket's place, and its own with cleanupSocket: false [real]", async () => {
    const path = join(folder, "replaced.sock");
    await quietly(function* () {
      const old = yield* startUnixServer(echo, path);
      unlinkSync(path);
      const young = yield* startUnixServer(echo, path, { cleanupSocket: false });
      yield* old.shutdown();

      const { writer } = yield* openUnixConnection(path);
      writer.close();
      yield* young.shutdown();
      expect(statSync(path).isSocket()).toBe(true);
    });
    unlinkSync(path);
  });

  test("startUnixServer(), where there is no folder, and openUnixConnection() to nothing, say so with Node's code [real]", async () => {
    const path = join(folder, "none", "a.sock");
    await quietly(function* () {
      expect(yield* refusing(startUnixServer(echo, path))).toMatchObject({ code: expect.stringMatching(/EACCES|ENOENT/) });
      expect(yield* refusing(openUnixConnection(path))).toMatchObject({ code: "ENOENT", syscall: "connect" });
    });
    expect(() => openUnixConnection("")).toThrow("Expected `path` to be the path of a Unix socket");
    expect(() => openUnixConnection("a", { tls: true })).toThrow("Expected `servername` for TLS over a Unix socket");
    expect(() => startUnixServer(echo, 5 as never)).toThrow("Expected `path`");
  });

  test("startUnixServer(), cancelled at any turn, leaves no file [real]", async () => {
    const path = join(folder, "cancelled.sock");
    await quietly(function* () {
      for (let turns = 0; turns < 8; turns++) {
        const task = createTask(startUnixServer(echo, path));
        for (let i = 0; i < turns; i++) yield* sleep(0);
        task.cancel();
        yield* task.join();
        if (!task.cancelled()) yield* task.result().shutdown();
        expect(readdirSync(folder)).toEqual([]);
      }
    });
  });

  test.skipIf(process.platform !== "linux")("startUnixServer(), in the abstract namespace, needs no file [real]", async () => {
    const path = `\0tsyncio-${process.pid}`;
    await quietly(function* () {
      const server = yield* startUnixServer(echo, path);
      const { reader, writer } = yield* openUnixConnection(path);
      yield* writer.send("hi\n");
      expect(String(yield* reader.readline())).toBe("hi\n");
      writer.close();
      yield* server.shutdown();
    });
  });
});
