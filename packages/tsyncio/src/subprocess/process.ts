/** A child process. Mirrors asyncio/subprocess.py `Process`. */

import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import type { Duration } from "../base/duration.ts";
import { RuntimeError } from "../base/errors.ts";
import type { Operation } from "../kernel/operation.ts";
import type { WaitSource } from "../kernel/suspended.ts";
import { NodeTransport } from "../streams/node-transport.ts";
import type { StreamReader } from "../streams/reader.ts";
import { until, wakeThoseDone } from "../streams/until.ts";
import type { Data, StreamWriter } from "../streams/writer.ts";
import { Waiters } from "../sync/waiters.ts";
import { type CommunicateOptions, communicate, type Output } from "./communicate.ts";
import { type LineOptions, Lines } from "./lines.ts";
import { checkGrace, checkSignal, DRAIN, type Plan } from "./options.ts";
import { OutputPipe } from "./output-pipe.ts";
import { isGroupAlive, SIGNALS, sendTo, trySendTo } from "./signals.ts";

/** The group is looked at so often while it is to end, in milliseconds; less often as time goes by. */
const FIRST_LOOK = 5;
const LAST_LOOK = 100;

/** How a process is told to end. */
export interface StopOptions {
  /** What it is told; the process's `killSignal` by default. */
  readonly signal?: NodeJS.Signals | undefined;
  /** How long it may take then before it is killed; ≥ 0, the process's `grace` by default. */
  readonly grace?: Duration | undefined;
}

/**
 * A process that createSubprocessExec or createSubprocessShell has started.
 *
 * Its exit and the end of its pipes are two things: whatever it has started may hold the pipes for longer. `wait()` waits for the exit,
 * `waitClosed()` for both. What it wrote stays in its readers until it is read.
 *
 * **It belongs to the task that started it.** If that task ends by a cancellation or an error while the process runs, the process is
 * stopped; if it returns, the process goes on, as in asyncio. What still runs at the end of `run()` is stopped, too, and waited for. To stop
 * is to send `killSignal` to the process and all that is in its group, and to kill what is left when `grace` is over. `withSubprocess`
 * gives it a scope instead, which it never outlives.
 *
 * Should this program end by `process.exit()`, or by an error that nobody catches, it is killed. It is not, as in asyncio, when a signal
 * ends this program at once; `run()` handles SIGINT, and others by option.
 *
 * **Source** asyncio/subprocess.py `Process`.
 */
export class Process<
  In extends StreamWriter | null = StreamWriter | null,
  Out extends StreamReader | null = StreamReader | null,
  Err extends StreamReader | null = StreamReader | null,
> implements WaitSource, AsyncDisposable
{
  // STATE  running ──exit──▶ exited ──all pipes closed──▶ closed
  //        `#stopping` is beside that: told to end ──grace is over──▶ killed; once it has exited and the group is gone, the pipes have
  //        DRAIN to close, and are closed from here then.
  readonly pid: number;
  /** Writes to the process; null when it was started without `stdin: PIPE`. */
  readonly stdin: In;
  /** Reads what it writes; null when it was started without `stdout: PIPE`. */
  readonly stdout: Out;
  /** Reads what it writes to stderr; null when it was started without `stderr: PIPE`. */
  readonly stderr: Err;
  /** What was started, as one would type it. */
  readonly command: string;
  /** @internal */
  readonly _pipes: { stdout: OutputPipe | null; stderr: OutputPipe | null };
  /** @internal Somebody communicates. */
  _busy = false;
  readonly #plan: Plan;
  readonly #waits: Waiters = new Waiters();
  #returncode: number | null = null;
  #signal: NodeJS.Signals | null = null;
  /** How many pipes are not closed. */
  #open = 0;
  #closed = false;
  #whenClosed: (() => void) | null = null;
  #stopping = false;
  /** There is a group to be ended. */
  #hasGroup = false;
  #giveUpAt = Number.POSITIVE_INFINITY;
  #killAt = Number.POSITIVE_INFINITY;
  #killTimer: NodeJS.Timeout | undefined;
  /** Of the next look at the group, or of the end of the pipes. */
  #timer: NodeJS.Timeout | undefined;

  /** @internal Made by what starts it. `merged`: the pipe that both outputs go through. */
  constructor(child: ChildProcess, plan: Plan, merged: Socket | null) {
    this.pid = child.pid as number;
    this.command = plan.title;
    this.#plan = plan;
    this._pipes = {
      stdout: this.#adopt(merged ?? (child.stdout as Socket | null), "stdout"),
      stderr: this.#adopt(child.stderr as Socket | null, "stderr"),
    };
    this.stdin = (child.stdin === null ? null : this.#adoptInput(child.stdin as Socket)) as In;
    this.stdout = (this._pipes.stdout?.reader ?? null) as Out;
    this.stderr = (this._pipes.stderr?.reader ?? null) as Err;
    child.once("exit", (code, signal) => this.#exit(code, signal));
  }

  /** The exit code, or negative the number of the signal that ended it; null while it runs. */
  get returncode(): number | null {
    return this.#returncode;
  }

  /** The name of the signal that ended it; null if none did, or it runs. */
  get signal(): NodeJS.Signals | null {
    return this.#signal;
  }

  /** Whether it has exited, and all of its pipes are closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Waits for the exit, and for nothing else: the pipes may still have something, or be held open by others.
   *
   * A process that writes to a pipe does not get on while nobody reads it: use `communicate()`, or read.
   *
   * @returns the exit code, as `returncode`.
   *
   * **Suspends** unless it has exited. **Cancel** ends the wait, and leaves the process alone.
   * **Source** asyncio/subprocess.py `Process.wait`; that of 3.14 waits for the pipes as well.
   *
   * @example
   * ```ts
   * const process = yield* createSubprocessShell("exit 3");
   * yield* process.wait(); // => 3
   * ```
   */
  wait(): Operation<number> {
    const ready = (): boolean => this.#returncode !== null;
    return this._until("process.wait", ready, () => this.#returncode as number);
  }

  /**
   * Waits for the exit and the end of all pipes, also those that others have inherited. What they bring is kept for who reads; if that is
   * more than a reader takes, somebody has to.
   *
   * **Suspends** until then. **Cancel** ends the wait, and leaves the process alone. **Source** the `close` event of Node's ChildProcess.
   */
  waitClosed(): Operation<void> {
    return this._until(
      "process.waitClosed",
      () => this.#closed,
      () => undefined,
    );
  }

  /**
   * Feeds it and reads all that it writes, at the same time, until it has exited.
   *
   * A process that does not want the input is left alone. Pipes that are still open `drain` after the exit, since others have inherited
   * them, are given up: `drained` is false then.
   *
   * @param input - Bytes, or text, as UTF-8; needs `stdin: PIPE`, which is closed after it, and if there is none, at once.
   * @param options - See {@link CommunicateOptions}.
   * @returns `stdout` and `stderr`, each null where it is no pipe, and `drained`.
   * @throws {ProcessTimeoutError} and {OutputLimitError} as the options say, when the process has ended; {RuntimeError} when there is no
   *   pipe for the input, or another task reads or communicates.
   *
   * **Suspends** until it has exited. **Cancel** leaves the process alone, and what it wrote in its readers: it can be called again.
   * **Source** asyncio/subprocess.py `Process.communicate`.
   *
   * @example
   * ```ts
   * const sort = yield* createSubprocessExec("sort", ["-n"], { stdin: PIPE, stdout: PIPE });
   * const { stdout } = yield* sort.communicate("30\n1\n2\n");
   * stdout.toString(); // => "1\n2\n30\n"
   * sort.returncode; // => 0
   * ```
   */
  communicate(input?: Data | null, options?: CommunicateOptions): Operation<Output<Out, Err>> {
    return communicate(this as Process, input, options) as Operation<Output<Out, Err>>;
  }

  /**
   * The lines that it writes to stdout, as text without their ends: `for await (const line of process.lines())`; in a coroutine
   * `const { done, value } = yield* lines.next()`.
   *
   * @param options - `encoding`: `"utf8"` by default.
   * @throws {RuntimeError} when stdout is no pipe; each line as `StreamReader.readline` does.
   *
   * **Suspends** never by itself.
   *
   * @example
   * ```ts
   * const process = yield* createSubprocessShell("echo one; echo two", { stdout: PIPE });
   * const lines = process.lines();
   * (yield* lines.next()).value; // => "one"
   * (yield* lines.next()).value; // => "two"
   * (yield* lines.next()).done; // => true
   * ```
   */
  lines(options?: LineOptions): Lines {
    const { stdout } = this;
    if (stdout === null)
      throw new RuntimeError(`Cannot read lines of ${this.describe()}: start it with stdout: PIPE`, "NO_PIPE");
    return new Lines(stdout, options);
  }

  /**
   * Sends a signal.
   *
   * @param signal - Such as `"SIGHUP"`.
   * @param options - `group`: to all that is in its process group; to the process alone by default, as in asyncio.
   * @returns false when it has exited already; asyncio raises ProcessLookupError then.
   * @throws {TypeError} when there is no such signal; the system's error when it may not be signalled.
   *
   * **Suspends** never. **Source** asyncio/subprocess.py `Process.send_signal`.
   */
  sendSignal(signal: NodeJS.Signals, options?: { readonly group?: boolean | undefined }): boolean {
    checkSignal(signal, "signal");
    return this.#returncode === null && sendTo(this.pid, signal, this.#plan.group && options?.group === true);
  }

  /** Sends SIGTERM; as {@link Process.sendSignal}. **Source** asyncio/subprocess.py `Process.terminate`. */
  terminate(options?: { readonly group?: boolean | undefined }): boolean {
    return this.sendSignal("SIGTERM", options);
  }

  /** Sends SIGKILL, which it cannot refuse; as {@link Process.sendSignal}. **Source** asyncio/subprocess.py `Process.kill`. */
  kill(options?: { readonly group?: boolean | undefined }): boolean {
    return this.sendSignal("SIGKILL", options);
  }

  /**
   * Ends it, with all that is in its group, and waits until nothing of it is left: no process, no descriptor.
   *
   * It is told to end, and what is left after the grace is killed. Pipes that somebody outside of the group holds are given up a second
   * later. What was written can still be read. When it has exited already, its group is ended only if a pipe is still held open.
   *
   * @param options - See {@link StopOptions}. Once it is being stopped, only a shorter grace makes a difference.
   * @returns the exit code, as `returncode`.
   *
   * **Suspends** unless all is over. **Cancel** ends the wait: it is stopped all the same.
   *
   * @example
   * ```ts
   * const process = yield* createSubprocessShell("sleep 60 & sleep 60");
   * yield* process.stop(); // => -15
   * ```
   */
  stop(options?: StopOptions): Operation<number> {
    const signal = checkSignal(options?.signal ?? this.#plan.killSignal, "signal");
    const grace = checkGrace(options?.grace ?? this.#plan.grace);
    const result = (): number => this.#returncode as number;
    return this._until(
      "process.stop",
      () => this.#closed,
      result,
      () => this._beginStop(signal, grace),
    );
  }

  /** At the end of an `await using` block: stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** @internal Begins to stop it; who calls does not wait. */
  _beginStop(signal: NodeJS.Signals = this.#plan.killSignal, grace: number = this.#plan.grace): void {
    if (this.#closed) return;
    if (!this.#stopping) {
      this.#stopping = true;
      // RACE  the number of a group is not used again while somebody is in it. Whoever holds a pipe is taken for one; if nobody does, and
      // the process has exited before, the number may be another's by now.
      this.#hasGroup = this.#plan.group && (this.#returncode === null || this.#open > 0);
      this.#tell(signal);
      if (this.#returncode !== null) this.#lookAtGroup(FIRST_LOOK);
    }
    const killAt = performance.now() + grace;
    if (this.#closed || killAt >= this.#killAt) return;
    this.#killAt = killAt;
    clearTimeout(this.#killTimer);
    // A timer of the host: it kills also when no loop runs any more. The host's timers can wait for 2^31 ms at most.
    if (grace < 2 ** 31) this.#killTimer = setTimeout(() => this.#kill(), grace);
  }

  /** @internal Kills it with its group, at once: this program ends. */
  _killNow(): void {
    if (this.#returncode === null) trySendTo(this.pid, "SIGKILL", this.#plan.group);
  }

  /** @internal Told once, when it is closed. */
  _onClosed(callback: () => void): void {
    this.#whenClosed = callback;
  }

  /** @internal Lets go of the output: who still writes there gets an error. */
  _release(): void {
    this._pipes.stdout?.release();
    this._pipes.stderr?.release();
  }

  /** @internal Whether nothing more will come from its pipes. */
  get _drained(): boolean {
    return this._pipes.stdout?.closed !== false && this._pipes.stderr?.closed !== false;
  }

  /** @internal Waits for something that, once it is so, stays so. */
  _until<T>(label: string, isSo: () => boolean, result: () => T, begin?: () => void): Operation<T> {
    return until({ of: this, label, line: this.#waits, isSo, result, begin });
  }

  /** @internal Something is so now that was not before. */
  _changed(): void {
    wakeThoseDone(this.#waits);
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  describe(): string {
    return `process ${this.pid} (${this.command.length > 60 ? `${this.command.slice(0, 60)}…` : this.command})`;
  }

  toString(): string {
    return `<Process ${this.pid}${this.#returncode === null ? "" : ` returncode=${this.#returncode}`}>`;
  }

  #adoptInput(socket: Socket): StreamWriter {
    const transport = new NodeTransport(socket, `stdin of process ${this.pid}`);
    this.#open++;
    transport.whenLost = () => this.#pipeClosed();
    return transport.writer;
  }

  #adopt(socket: Socket | null, name: string): OutputPipe | null {
    if (socket === null) return null;
    this.#open++;
    return new OutputPipe(socket, `${name} of process ${this.pid}`, this.#plan.limit, () => this.#pipeClosed());
  }

  #pipeClosed(): void {
    this.#open--;
    this.#look();
  }

  #exit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#signal = signal;
    this.#returncode = code ?? -(SIGNALS[signal as NodeJS.Signals] ?? 0);
    // ORDER  Node has closed stdin by now; the outputs are closed once they have been read.
    this._pipes.stdout?.flush();
    this._pipes.stderr?.flush();
    this.#look();
    if (this.#stopping && !this.#closed) this.#lookAtGroup(FIRST_LOOK);
  }

  #look(): void {
    this.#closed = this.#returncode !== null && this.#open === 0 && !this.#groupLives();
    this._changed();
    if (!this.#closed) return;
    clearTimeout(this.#killTimer);
    clearTimeout(this.#timer);
    this.#whenClosed?.();
    this.#whenClosed = null;
  }

  /** Whether somebody of its group has still to end. */
  #groupLives(): boolean {
    this.#hasGroup &&= performance.now() < this.#giveUpAt && isGroupAlive(this.pid);
    return this.#hasGroup;
  }

  #tell(signal: NodeJS.Signals): void {
    if (this.#hasGroup || this.#returncode === null) trySendTo(this.pid, signal, this.#hasGroup);
  }

  #kill(): void {
    this.#killAt = Number.NEGATIVE_INFINITY;
    this.#giveUpAt = performance.now() + DRAIN;
    this.#tell("SIGKILL");
    if (this.#returncode !== null && this.#hasGroup) this.#lookAtGroup(FIRST_LOOK);
  }

  /** It has exited, and is being stopped: waits until the others have, and then for the pipes. */
  #lookAtGroup(pause: number): void {
    clearTimeout(this.#timer);
    if (this.#groupLives()) {
      this.#timer = setTimeout(() => this.#lookAtGroup(Math.min(2 * pause, LAST_LOOK)), pause);
      return;
    }
    this.#look();
    if (!this.#closed) this.#timer = setTimeout(() => this._release(), DRAIN);
  }
}
