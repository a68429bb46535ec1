/**
 * Fire and forget: the line in the access log is written by a task that nobody waits for. A server that stops at once loses it.
 *
 * Not seen first come, first served: the log takes as long as the answer, and has begun earlier.
 *
 * Mended: a task group ends when its tasks have.
 */

import { createTask, sleep, type TaskGroup, taskGroup } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Log {
  readonly lines: string[] = [];

  async write(line: string): Promise<void> {
    await sleep("1ms");
    this.lines.push(line);
  }
}

async function answer(_path: string): Promise<void> {
  await sleep("1ms");
}

async function serveAndForget(log: Log, path: string): Promise<void> {
  createTask(() => log.write(path), { name: "access log" });
  await answer(path);
}

async function serveInGroup(log: Log, path: string): Promise<void> {
  await taskGroup(async (group: TaskGroup) => {
    group.createTask(() => log.write(path), { name: "access log" });
    await answer(path);
  });
}

const serveOnce =
  (serve: typeof serveAndForget): TestBody =>
  async () => {
    await serve(new Log(), "/");
  };

export const fireAndForget: Bug = {
  name: "fire and forget",
  runs: 10,
  decisions: 1,
  fails: ["ProblemError", "LEFT_RUNNING"],
  buggy: serveOnce(serveAndForget),
  mended: serveOnce(serveInGroup),
};
