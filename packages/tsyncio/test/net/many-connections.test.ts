/** Ten thousand connections at once. The clients are another process, so that the limit on open files is not met twice. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { allTasks, sleep } from "tsyncio";
import { fromPromise } from "tsyncio/interop";
import { type Streams, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { quietly } from "./support.ts";

const COUNT = 10_000;
const MEGABYTE = 2 ** 20;

/** Opens so many connections, says a word on each, waits for it to come back, and then for a line on its input to close all. */
const CLIENTS = `
  const { connect } = require("node:net");
  const [port, count] = process.argv.slice(1).map(Number);
  const sockets = [];
  let echoed = 0;
  const open = () => {
    if (sockets.length === count) return;
    const socket = connect(port, "127.0.0.1", () => socket.write("hello"));
    sockets.push(socket);
    socket.on("error", (error) => { console.log(error.code); process.exit(1); });
    socket.once("data", () => { if (++echoed === count) console.log("all"); open(); });
    socket.on("close", () => { if (--echoed === 0) console.log("closed"); });
  };
  for (let i = 0; i < 100; i++) open();
  process.stdin.once("data", () => { for (const socket of sockets) socket.end(); process.stdin.unref(); });
`;

const openFiles = Number(spawnSync("sh", ["-c", "ulimit -n"]).stdout);

test.skipIf(openFiles < COUNT + 1000)(
  `a server, has ${COUNT} connections open at once, and after them the memory that it had before [real]`,
  { timeout: 120_000 },
  async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const heap = (): number => {
      collect();
      return process.memoryUsage().heapUsed / MEGABYTE;
    };
    await quietly(function* () {
      const server = yield* startServer(echo, "127.0.0.1", 0, { backlog: 1024 });
      const clients = spawn(process.execPath, ["-e", CLIENTS, String(server.port), String(COUNT)], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      const ended = once(clients, "exit");
      const said = function* () {
        const [text] = (yield* fromPromise(once(clients.stdout, "data"))) as [Buffer];
        return text.toString();
      };
      const before = heap();

      expect(yield* said()).toBe("all\n");
      expect([server.connections, allTasks().size]).toEqual([COUNT, COUNT + 1]);
      const open = heap();
      clients.stdin.write("close\n");
      expect(yield* said()).toBe("closed\n");
      yield* fromPromise(ended);
      while (server.connections > 0) yield* sleep(10);
      yield* sleep(100);
      const after = heap();

      expect(allTasks().size).toBe(1);
      expect(open - before).toBeGreaterThan(10);
      // What is left is code and caches of Node's own.
      expect(after - before).toBeLessThan((open - before) / 5);
      yield* server.shutdown();
    });
  },
);

function* echo({ reader, writer }: Streams) {
  for (;;) {
    const bytes = yield* reader.read(65_536);
    if (bytes.length === 0) return;
    yield* writer.send(bytes);
  }
}
