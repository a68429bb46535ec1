/** Real connections in tests: runs that leave nothing behind, and what goes wrong unseen. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { type Coroutine, EventLoop, type ExceptionContext, type Job, run } from "tsyncio";
import type { Streams } from "tsyncio/net";
import { expect } from "vitest";

/** What a network leaves behind when it is not closed. */
const KINDS = /TCP|Pipe|UDP|TLS|Timeout|GetAddr/;

function handles(): string[] {
  return process.getActiveResourcesInfo().filter((each) => KINDS.test(each));
}

/** Those that are more than before. (Of those before, the test runner's own may have ended.) */
function newHandles(before: readonly string[]): string[] {
  const now = handles();
  for (const each of before) if (now.includes(each)) now.splice(now.indexOf(each), 1);
  return now;
}

/** Runs a job in real time, in a loop of its own; gives what the loop reported. No handle, timer or task may be left. */
export async function really(job: Job<unknown>): Promise<ExceptionContext[]> {
  const errors: ExceptionContext[] = [];
  const loop = new EventLoop();
  loop.setExceptionHandler((_, context) => errors.push(context));
  const before = handles();
  await run(job, { loop, signals: [] });
  // What is being closed needs a few rounds of Node's own loop.
  for (let i = 0; i < 200 && newHandles(before).length > 0; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(newHandles(before)).toEqual([]);
  expect((loop as unknown as { _tasks: { first: unknown } })._tasks.first).toBe(null);
  return errors;
}

/** As {@link really}, where the loop is to report nothing. */
export async function quietly(job: Job<unknown>): Promise<void> {
  expect(await really(job)).toEqual([]);
}

/** Sends back what comes, line by line. */
export function* echo({ reader, writer }: Streams) {
  for (;;) {
    const line = yield* reader.readline();
    if (line.length === 0) break;
    yield* writer.send(line);
  }
}

/** What an operation fails with. */
export function* refusing(job: Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* job;
  } catch (error) {
    return error;
  }
  throw new Error("Expected an error, got none");
}

/** A port that nobody uses. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * A port of 127.0.0.1 that lets connections wait: the process that listens is stopped, and its backlog is full. Null where the system
 * has another way with that.
 */
export async function stalledPort(): Promise<{ readonly port: number; close(): Promise<void> } | null> {
  if (process.platform !== "linux") return null;
  const program = `const s = require("net").createServer().listen(0, "127.0.0.1", 1, () => console.log(s.address().port))`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const port = Number(String((await once(child.stdout, "data"))[0]));
  child.kill("SIGSTOP");
  const fillers = Array.from({ length: 8 }, () => connect(port, "127.0.0.1").on("error", () => {}));
  const close = async (): Promise<void> => {
    for (const each of fillers) each.destroy();
    child.kill("SIGKILL");
    await once(child, "close");
  };
  // Once one of them is connected, and they no longer come through, it is full.
  const connected = (): number => fillers.filter((each) => each.readyState === "open").length;
  for (let before = -1, rounds = 0; rounds < 100 && (connected() === 0 || connected() !== before); rounds++) {
    before = connected();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (connected() < fillers.length) return { port, close };
  await close();
  return null;
}
