/** Running a program to its end in one call. What Python's `subprocess.run` is there. */

import { Buffer } from "node:buffer";
import { RuntimeError, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Data } from "../streams/writer.ts";
import { type CommunicateOptions, checkInput, limitsOf } from "./communicate.ts";
import { createSubprocessExec, createSubprocessShell, withSubprocess } from "./create.ts";
import { OutputLimitError, ProcessError, ProcessTimeoutError } from "./errors.ts";
import { DEVNULL, PIPE, type ShellOptions, type SubprocessOptions } from "./options.ts";
import type { Process } from "./process.ts";

/** How a program is run to its end: {@link SubprocessOptions}, and the limits of {@link CommunicateOptions}. */
export interface RunOptions extends SubprocessOptions, CommunicateOptions {
  /** What it reads: bytes, or text, as UTF-8. Without it, nothing, unless `stdin` says otherwise. */
  readonly input?: Data | null | undefined;
  /** Whether an exit code that is not 0 is an error; true by default (in Python false). */
  readonly check?: boolean | undefined;
  /** Gives the output as text, not as bytes. */
  readonly encoding?: BufferEncoding | undefined;
}

/** As {@link RunOptions}. */
export interface RunShellOptions extends RunOptions, Pick<ShellOptions, "shell"> {}

/** What came of it. */
export interface Completed<T = Buffer | string> {
  readonly command: string;
  /** The exit code; negative, the number of the signal that ended it. */
  readonly returncode: number;
  readonly signal: NodeJS.Signals | null;
  /** Empty where `stdout` was no pipe. */
  readonly stdout: T;
  /** Empty where `stderr` was no pipe. */
  readonly stderr: T;
  /** See `Output.drained`. */
  readonly drained: boolean;
}

/**
 * Runs a program to its end, and gives what it wrote.
 *
 * `stdout` and `stderr` are PIPE by default, `stdin` is DEVNULL, or the `input`.
 *
 * @param program - As for createSubprocessExec.
 * @param args - What it is given.
 * @param options - See {@link RunOptions}.
 * @throws {ProcessError} when its exit code is not 0, unless `check: false`; {ProcessTimeoutError} and {OutputLimitError}, when it was
 *   stopped; {ProcessStartError} when it cannot be started; {TypeError} or {RangeError}, at once, when an argument is wrong.
 *
 * **Suspends** until it has exited. **Cancel** stops it, with all that is in its group, and waits for that: `grace` at most.
 * **Source** Python's `subprocess.run`.
 *
 * @example
 * ```ts
 * const { stdout } = yield* runProcess("tr", ["a-z", "A-Z"], { input: "hello", encoding: "utf8" });
 * stdout; // => "HELLO"
 * yield* runProcess("ls", ["/no/such/file"]); // throws ProcessError
 * ```
 */
export function runProcess(
  program: string,
  args: readonly string[] | undefined,
  options: RunOptions & { readonly encoding: BufferEncoding },
): Operation<Completed<string>>;
export function runProcess(
  program: string,
  args?: readonly string[],
  options?: RunOptions & { readonly encoding?: undefined },
): Operation<Completed<Buffer>>;
export function runProcess(program: string, args?: readonly string[], options?: RunOptions): Operation<Completed>;
export function runProcess(program: string, args: readonly string[] = [], options?: RunOptions): Operation<Completed> {
  const { start, ...run } = partsOf(options);
  return operation(running(createSubprocessExec(program, args, start), run), "runProcess");
}

/**
 * As {@link runProcess}, for a command line that the shell runs.
 *
 * **Suspends** and is cancelled likewise. **Source** Python's `subprocess.run` with `shell=True`.
 *
 * @example
 * ```ts
 * (yield* runShell("echo $GREETING | wc -c", { env: { GREETING: "hello" }, encoding: "utf8" })).stdout.trim(); // => "6"
 * ```
 */
export function runShell(
  command: string,
  options: RunShellOptions & { readonly encoding: BufferEncoding },
): Operation<Completed<string>>;
export function runShell(
  command: string,
  options?: RunShellOptions & { readonly encoding?: undefined },
): Operation<Completed<Buffer>>;
export function runShell(command: string, options?: RunShellOptions): Operation<Completed>;
export function runShell(command: string, options?: RunShellOptions): Operation<Completed> {
  const { start, ...run } = partsOf(options);
  return operation(running(createSubprocessShell(command, start), run), "runShell");
}

interface Run extends CommunicateOptions {
  readonly input: Data | undefined;
  readonly check: boolean;
  readonly encoding: BufferEncoding | undefined;
}

function partsOf(options: RunShellOptions | undefined): Run & { start: ShellOptions } {
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw unexpected('`options` to be an object such as { encoding: "utf8" }', options);
  }
  const { input: given, check = true, encoding, timeout, maxOutput, drain, ...start } = options ?? {};
  const input = given ?? undefined;
  checkInput(input);
  limitsOf({ timeout, maxOutput, drain });
  if (typeof check !== "boolean") throw unexpected("`check` to be true or false", check);
  if (encoding !== undefined && !Buffer.isEncoding(encoding)) {
    throw unexpected('`encoding` to be one such as "utf8"', encoding);
  }
  const { stdin, stdout, stderr } = start;
  if (input !== undefined && stdin !== undefined && stdin !== PIPE) {
    throw new RuntimeError("Cannot feed `input`: `stdin` leads elsewhere; give one of them", "NO_PIPE");
  }
  return {
    input,
    check,
    encoding,
    timeout,
    maxOutput,
    drain,
    start: { ...start, stdin: stdin ?? (input === undefined ? DEVNULL : PIPE), stdout: stdout ?? PIPE, stderr: stderr ?? PIPE },
  };
}

function* running(start: Operation<Process>, run: Run): Coroutine<Completed> {
  const text = (bytes: Buffer | string | null): Buffer | string => {
    const all = Buffer.from(bytes ?? "");
    return run.encoding === undefined ? all : all.toString(run.encoding);
  };
  return yield* withSubprocess(start, function* (process) {
    const { command } = process;
    try {
      const output = yield* process.communicate(run.input, run);
      const { stdout, stderr, drained } = output;
      const { signal } = process;
      const returncode = process.returncode as number;
      if (run.check && returncode !== 0) throw new ProcessError(command, returncode, signal, output);
      return { command, returncode, signal, stdout: text(stdout), stderr: text(stderr), drained };
    } catch (error) {
      if (error instanceof ProcessError || error instanceof ProcessTimeoutError || error instanceof OutputLimitError) {
        Object.assign(error, { stdout: text(error.stdout), stderr: text(error.stderr) });
      }
      throw error;
    }
  });
}
