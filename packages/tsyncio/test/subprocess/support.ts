/** Real children, and what is left of them: descriptors, handles, listeners, processes. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allTasks, type Coroutine, EventLoop, type ExceptionContext, type Job, run } from "tsyncio";
import { expect } from "vitest";

/** What a scenario must leave as it was. */
interface Census {
  readonly descriptors: number;
  readonly handles: string[];
  readonly children: string[];
  readonly exitListeners: number;
}

/** The children of this process, with their states: a zombie is one, too. */
export function childrenOf(parent: number): string[] {
  return processes()
    .filter((each) => each.parent === parent)
    .map((each) => `${each.pid} ${each.name} ${each.state}`);
}

/** Those of a process group that run. */
export function membersOf(group: number): number[] {
  return processes()
    .filter((each) => each.group === group && each.state !== "Z" && each.state !== "X")
    .map((each) => each.pid);
}

function processes() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
        const end = stat.lastIndexOf(")");
        const [state, parent, group] = stat.slice(end + 2).split(" ");
        return [
          {
            pid: Number(pid),
            name: stat.slice(stat.indexOf("(") + 1, end),
            state,
            parent: Number(parent),
            group: Number(group),
          },
        ];
      } catch {
        return [];
      }
    });
}

function census(): Census {
  // Not timers: the test runner has some of its own.
  const handles = process.getActiveResourcesInfo().filter((each) => /Pipe|Process|Socket|Server|TCP/.test(each));
  return {
    descriptors: readdirSync("/proc/self/fd").length,
    handles: handles.sort(),
    children: childrenOf(process.pid),
    exitListeners: process.listenerCount("exit"),
  };
}

export const linux: boolean = process.platform === "linux";

/** Node closes a handle in one pass of its loop, and tells so in the next. */
async function passes(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Runs a job in a program of its own, and checks that it leaves nothing behind. */
export async function real<T>(job: Job<T>): Promise<T> {
  await passes();
  const before = linux ? census() : null;
  const errors: ExceptionContext[] = [];
  const loop = new EventLoop();
  loop.setExceptionHandler((_, context) => errors.push(context));
  const result = await run(job, { loop, signals: [] });
  await passes();
  if (before !== null) expect(census()).toEqual(before);
  expect(errors).toEqual([]);
  expect(allTasks(loop).size).toBe(0);
  return result;
}

/** Runs a script of Node's in the child: its arguments for createSubprocessExec. */
export function script(code: string, ...args: string[]): [program: string, args: string[]] {
  return [process.execPath, ["-e", code, ...args]];
}

/** A folder for one test. */
export async function inFolder(use: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-test-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The error that an operation throws. */
export function* errorOf(operation: Coroutine<unknown>): Coroutine<never> {
  try {
    yield* operation;
  } catch (error) {
    return error as never;
  }
  throw new Error("Expected an error, got none");
}
