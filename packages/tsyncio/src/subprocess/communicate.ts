/** Feeding a process and reading what it writes, side by side. Mirrors asyncio/subprocess.py `Process.communicate`. */

import type { Buffer } from "node:buffer";
import { type Duration, milliseconds, millisecondsOrNever } from "../base/duration.ts";
import { RuntimeError, show, unexpected } from "../base/errors.ts";
import { moveOnAfter } from "../flow/timeout.ts";
import { operation } from "../kernel/coroutine.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { StreamReader } from "../streams/reader.ts";
import type { Data } from "../streams/writer.ts";
import { OutputLimitError, ProcessTimeoutError } from "./errors.ts";
import { DRAIN } from "./options.ts";
import type { Process } from "./process.ts";

export interface CommunicateOptions {
  /** If it takes longer, the process is stopped, and a ProcessTimeoutError is thrown. Never by default. */
  readonly timeout?: Duration | undefined;
  /** If stdout or stderr has more bytes, the process is stopped, and an OutputLimitError is thrown; an integer ≥ 0. Any by default. */
  readonly maxOutput?: number | undefined;
  /** How long pipes that others have inherited are read after the exit; 1 second by default. */
  readonly drain?: Duration | undefined;
}

/** What a process wrote: null for what was no pipe. */
export interface Output<Out = StreamReader | null, Err = StreamReader | null> {
  readonly stdout: Read<Out>;
  readonly stderr: Read<Err>;
  /** Whether the pipes came to their end, and this is all; if not, somebody else had inherited them, and may have written more. */
  readonly drained: boolean;
}

type Read<T> = T extends StreamReader ? Buffer : null;

/** How an exchange is limited, in milliseconds and bytes. */
export interface Limits {
  readonly timeout: number;
  readonly maxOutput: number;
  readonly drain: number;
}

/** @throws {TypeError} or {RangeError} when an option is wrong. */
export function limitsOf(options: CommunicateOptions | undefined): Limits {
  const { timeout, maxOutput = Number.POSITIVE_INFINITY, drain = DRAIN } = options ?? {};
  if (maxOutput !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(maxOutput) || maxOutput < 0)) {
    throw new RangeError(`Expected \`maxOutput\` to be an integer ≥ 0, got ${show(maxOutput)}`);
  }
  return { timeout: millisecondsOrNever(timeout, "timeout"), maxOutput, drain: milliseconds(drain, "drain") };
}

/** @throws {TypeError} when it is neither bytes nor text. */
export function checkInput(input: unknown): void {
  if (input === undefined || input === null || typeof input === "string" || input instanceof Uint8Array) return;
  throw unexpected("`input` to be bytes (a Uint8Array) or text", input);
}

/** See `Process.communicate`. */
export function communicate(
  process: Process,
  input: Data | null | undefined,
  options: CommunicateOptions | undefined,
): Operation<Output> {
  checkInput(input);
  const limits = limitsOf(options);
  if (process.stdin === null && input !== undefined && input !== null) {
    throw new RuntimeError(`Cannot feed ${process.describe()}: start it with stdin: PIPE`, "NO_PIPE");
  }
  return operation(communicating(process, input ?? "", limits), "process.communicate");
}

function* communicating(process: Process, input: Data, limits: Limits): Coroutine<Output> {
  const { stdout, stderr } = process;
  if (process._busy || (stdout?._reader ?? null) !== null || (stderr?._reader ?? null) !== null) {
    const what = `Cannot communicate with ${process.describe()}`;
    throw new RuntimeError(`${what}: another task reads from it already; let one task read`, "READER_BUSY");
  }
  const excess = watchExcess(process, limits.maxOutput);
  process._busy = true;
  collect(process, true);
  try {
    feed(process, input);
    const { timedOut } = yield* moveOnAfter(limits.timeout, () => exchanging(process, excess, limits.drain));
    const stream = excess();
    if (!timedOut && stream === null) return take(process);
    if (stream !== null) collect(process, false);
    yield* process.stop();
    const output = take(process, limits.maxOutput);
    if (stream !== null) throw new OutputLimitError(process.command, stream, limits.maxOutput, output);
    throw new ProcessTimeoutError(process.command, limits.timeout, output);
  } finally {
    process._busy = false;
    collect(process, false);
    for (const pipe of pipesOf(process)) pipe.whenFed = null;
  }
}

/** Until it has exited and the pipes are at their end, or given up; or there is too much. */
function* exchanging(process: Process, excess: () => unknown, drain: number): Coroutine<void> {
  const over = (): boolean => excess() !== null;
  const nothing = (): void => {};
  yield* process._until("process.communicate", () => process.returncode !== null || over(), nothing);
  yield* moveOnAfter(drain, () => process._until("process.communicate", () => process._drained || over(), nothing));
  // Time may have passed because this program was busy: what has arrived is looked at before it is given up.
  if (!process._drained && !over()) yield* new HostPass() as unknown as Operation<void>;
}

/** A process that wants less than it gets, or has gone by now, is no error, as in asyncio. */
function feed({ stdin, returncode }: Process, input: Data): void {
  // When it has exited, Node is about to close the pipe.
  if (stdin === null || stdin._lost || returncode !== null) return;
  if (input.length > 0) stdin.write(input);
  stdin.close();
}

/** Which stream has more than it may; null: none. */
function watchExcess(process: Process, maxOutput: number): () => "stdout" | "stderr" | null {
  for (const pipe of pipesOf(process)) {
    pipe.whenFed = () => {
      if (pipe.reader.buffered > maxOutput) process._changed();
    };
  }
  const { stdout, stderr } = process;
  return () => ((stdout?.buffered ?? 0) > maxOutput ? "stdout" : (stderr?.buffered ?? 0) > maxOutput ? "stderr" : null);
}

function collect(process: Process, on: boolean): void {
  for (const pipe of pipesOf(process)) pipe.collect(on);
}

function pipesOf({ _pipes: { stdout, stderr } }: Process) {
  return [stdout, stderr].filter((each) => each !== null);
}

/** All that has come, or the beginning of it; nobody reads what comes later. */
function take(process: Process, most = Number.POSITIVE_INFINITY): Output {
  const drained = process._drained;
  const { stdout, stderr } = process;
  const failure = stdout?.exception() ?? stderr?.exception() ?? null;
  if (failure !== null) throw failure;
  const output = { stdout: takeOf(stdout, most), stderr: takeOf(stderr, most), drained };
  process._release();
  return output as Output;
}

function takeOf(reader: StreamReader | null, most: number): Buffer | null {
  if (reader === null) return null;
  const all = reader._bytes.take(reader.buffered);
  return most < all.length ? all.subarray(0, most) : all;
}

/** Waits until the host has looked at its I/O once. */
class HostPass extends Op<void> {
  declare _immediate: NodeJS.Immediate | undefined;

  constructor() {
    super();
    this._immediate = undefined;
  }

  override _start(): Step<void> {
    // The first may come before the next look at the I/O, the second comes after it.
    this._immediate = setImmediate(() => {
      this._immediate = setImmediate(() => this._wake());
    });
    return this._wait();
  }

  override _resume(): Step<void> {
    return done(undefined);
  }

  override _abandon(): void {
    clearImmediate(this._immediate);
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return "process.communicate";
  }
}
