/** Starting child processes. Mirrors asyncio/subprocess.py. */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { Socket } from "node:net";
import { devNull } from "node:os";
import { unexpected } from "../base/errors.ts";
import { shielded } from "../flow/shield.ts";
import { operation } from "../kernel/coroutine.ts";
import { getRunningLoop } from "../kernel/current.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import { isCoroutine } from "../kernel/kinds.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { StreamReader } from "../streams/reader.ts";
import type { StreamWriter } from "../streams/writer.ts";
import { startError } from "./errors.ts";
import { guard } from "./guardian.ts";
import { PIPE, type Plan, planOf, type ShellOptions, type SubprocessOptions } from "./options.ts";
import { Process } from "./process.ts";
import { socketPair } from "./socket-pair.ts";

/** The process that is started by some options: `stdin`, `stdout` and `stderr` are there where these say PIPE. */
export type ProcessOf<O> = Process<
  PipeOf<O, "stdin", StreamWriter>,
  PipeOf<O, "stdout", StreamReader>,
  PipeOf<O, "stderr", StreamReader>
>;

type PipeOf<O, K extends string, Stream> = O extends { readonly [key in K]: "pipe" }
  ? Stream
  : K extends keyof O
    ? "pipe" extends O[K]
      ? Stream | null
      : null
    : null;

/**
 * Starts a program.
 *
 * The process belongs to the task that starts it: see {@link Process}. `withSubprocess` gives it a scope instead.
 *
 * @param program - A path, or a name that is looked up in PATH.
 * @param args - What it is given; no shell looks at it.
 * @param options - See {@link SubprocessOptions}.
 * @throws {ProcessStartError} when it cannot be started; its `reason` tells whether the program, its interpreter or `cwd` is wrong.
 * @throws {TypeError} or {RangeError}, at once, when an argument is wrong.
 *
 * **Suspends** for a moment at most. **Cancel** leaves no process. **Source** asyncio/subprocess.py `create_subprocess_exec`.
 *
 * @example
 * ```ts
 * const echo = yield* createSubprocessExec("echo", ["hello"], { stdout: PIPE });
 * (yield* echo.stdout.readline()).toString(); // => "hello\n"
 * yield* echo.wait(); // => 0
 * ```
 */
export function createSubprocessExec<const O extends SubprocessOptions = Record<never, never>>(
  program: string,
  args: readonly string[] = [],
  options?: O,
): Operation<ProcessOf<O>> {
  const plan = planOf(program, args, options, false);
  return operation(starting(plan), "createSubprocessExec") as Operation<ProcessOf<O>>;
}

/**
 * Starts a command line by the shell.
 *
 * The shell looks at all of it: text that comes from elsewhere belongs in `env` (`"$NAME"` in the command), or use createSubprocessExec.
 *
 * @param command - As one would type it.
 * @param options - See {@link ShellOptions}.
 * @throws {ProcessStartError} when the shell cannot be started; a program that it does not find is told by its exit code, 127.
 * @throws {TypeError} or {RangeError}, at once, when an argument is wrong.
 *
 * **Suspends** for a moment at most. **Cancel** leaves no process. **Source** asyncio/subprocess.py `create_subprocess_shell`.
 *
 * @example
 * ```ts
 * const process = yield* createSubprocessShell("echo $((6 * 7)) | cat", { stdout: PIPE });
 * (yield* process.communicate()).stdout.toString(); // => "42\n"
 * ```
 */
export function createSubprocessShell<const O extends ShellOptions = Record<never, never>>(
  command: string,
  options?: O,
): Operation<ProcessOf<O>> {
  return operation(starting(planOf(command, [], options, true)), "createSubprocessShell") as Operation<ProcessOf<O>>;
}

/**
 * Runs a body with a process that does not outlive it: when the body ends, however it ends, the process is stopped if it still runs, and
 * nothing of it is left. (Wait for it in the body, where it is to end by itself.)
 *
 * @param start - What starts it: `createSubprocessExec(…)`, not awaited.
 * @param body - A `function*` or an async function; gets the process.
 * @returns what the body returns.
 * @throws as the start or the body does; {TypeError}, at once, when an argument is wrong.
 *
 * **Suspends** as the body does, and until the process is stopped. **Cancel** goes to the body; the process is stopped then, which takes
 * its `grace` at most, and cannot be cancelled. **Source** as `with subprocess.Popen(…)`, which waits where this one stops.
 *
 * @example
 * ```ts
 * const cat = createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
 * yield* withSubprocess(cat, function* (process) {
 *   yield* process.stdin.send("ping\n");
 *   return (yield* process.stdout.readline()).toString();
 * }); // => "ping\n"
 * ```
 */
export function withSubprocess<P extends Process, T>(start: Operation<P>, body: Body<[process: P], T>): Operation<T> {
  if (!isCoroutine(start)) {
    throw unexpected(
      "what starts a process for withSubprocess()",
      start,
      "give it createSubprocessExec(…) itself, not awaited",
    );
  }
  checkBody(body, "withSubprocess");
  return operation(scoped(start, body), "withSubprocess");
}

function* scoped<P extends Process, T>(start: Coroutine<P>, body: Body<[process: P], T>): Coroutine<T> {
  const process = yield* start;
  try {
    return yield* callBody(body, process);
  } finally {
    yield* shielded(() => process.stop());
  }
}

function* starting(plan: Plan): Coroutine<Process> {
  const pair = plan.merged ? yield* connecting() : null;
  const child = launch(plan, pair === null ? plan.spawn : { ...plan.spawn, stdio: sharing(plan, pair[0]) });
  // The child has its own copy.
  pair?.[0].destroy();
  if (!(child instanceof Error) && child.pid !== undefined) {
    // RACE  from the start to here nothing waits: no cancellation finds a process that nobody has.
    const process = new Process(child, plan, pair?.[1] ?? null);
    guard(process);
    return process;
  }
  pair?.[1].destroy();
  throw startError(plan, child instanceof Error ? child : yield* failing(child));
}

function* connecting(): Coroutine<[theirs: Socket, ours: Socket]> {
  let pair: [Socket, Socket] | null = null;
  try {
    // Not to be interrupted: what is half connected would be left.
    yield* shielded(async () => {
      pair = await socketPair();
    });
    return pair as unknown as [Socket, Socket];
  } catch (error) {
    for (const socket of (pair as [Socket, Socket] | null) ?? []) socket.destroy();
    throw error;
  }
}

function sharing(plan: Plan, theirs: Socket): NonNullable<SpawnOptions["stdio"]> {
  return [(plan.spawn.stdio as "pipe"[])[0], theirs, theirs] as never;
}

/** Some failures Node throws, others it tells by an event. */
function launch(plan: Plan, options: SpawnOptions): ChildProcess | Error {
  try {
    needDescriptors(2 + 2 * (options.stdio as unknown[]).filter((each) => each === PIPE).length);
    const child = spawn(plan.program, plan.args, options);
    // Who signals it is told by an exception; nothing else comes here from a process that runs.
    child.on("error", () => {});
    return child;
  } catch (error) {
    return error as Error;
  }
}

/** Where a start fails for want of descriptors, Node never closes the handles that it made for it: so it is not asked to. */
function needDescriptors(count: number): void {
  const taken: number[] = [];
  try {
    for (let i = 0; i < count; i++) taken.push(openSync(devNull, "r"));
  } finally {
    for (const each of taken) closeSync(each);
  }
}

function* failing(child: ChildProcess): Coroutine<Error> {
  const failure = getRunningLoop().createFuture<Error>();
  child.once("error", (error) => {
    for (const each of child.stdio ?? []) each?.destroy();
    if (!failure.done()) failure.setResult(error);
  });
  return yield* failure;
}
