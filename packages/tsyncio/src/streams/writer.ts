/** The writing side of a stream of bytes. Mirrors asyncio/streams.py `StreamWriter`. */

import { Buffer } from "node:buffer";
import { RuntimeError, show, unexpected } from "../base/errors.ts";
import { done, type Operation, type Step } from "../kernel/operation.ts";
import type { WaitSource } from "../kernel/suspended.ts";
import { Waiter, Waiters, wakeAll } from "../sync/waiters.ts";
import type { StreamReader } from "./reader.ts";
import type { TlsOptions } from "./tls-options.ts";
import { ConnectionLostError, type Transport } from "./transport.ts";
import { until } from "./until.ts";

/** What can be written: bytes, or text, which is sent as UTF-8. */
export type Data = string | Uint8Array;

const HIGH_WATER: number = 2 ** 16;

/**
 * Writes bytes.
 *
 * `send()` waits while too much is on its way, and is what to use. `write()` never waits: follow it by `drain()`, or memory fills when
 * the other side is slow. "Too much" is more than the high-water mark (64 KiB); the wait ends at the low one (a quarter of that).
 *
 * **Source** asyncio/streams.py `StreamWriter`.
 *
 * @example
 * ```ts
 * const [a, b] = streamPair();
 * yield* a.writer.send("hello\n");
 * (yield* b.reader.readline()).toString(); // => "hello\n"
 * a.writer.close();
 * yield* a.writer.waitClosed();
 * (yield* b.reader.read()).length; // => 0
 * ```
 */
export class StreamWriter implements WaitSource {
  /** @internal */
  _transport: Transport;
  /** @internal */
  readonly _reader: StreamReader | null;
  /** @internal More than the high-water mark is on its way. */
  _full = false;
  /** @internal The connection is gone. */
  _lost = false;
  /** @internal What it was lost by. */
  _error: Error | null = null;
  /** @internal Those that wait until less is on its way. */
  readonly _drains: Waiters = new Waiters();
  /** Those that wait for the end. */
  readonly #closes = new Waiters();
  #high = HIGH_WATER;
  #low = HIGH_WATER / 4;
  #closing = false;
  #ended = false;
  readonly #taken: (error?: Error | null) => void;

  /** @internal Made together with a reader, by what connects them. */
  constructor(transport: Transport, reader: StreamReader | null) {
    this._transport = transport;
    this._reader = reader;
    this.#taken = (error) => {
      // RACE  1. send() waits   2. the socket is destroyed: Node drops what is left, and calls back as if it had gone   3. send() must
      //       not return before the connection's end is told.   test: "writer.abort(), while send() waits, is told to it"
      if (!error && this._transport.aborted !== true) this.#lookAtLevel();
    };
  }

  /**
   * Writes, and waits while too much is on its way.
   *
   * @param data - Bytes, which are not copied: leave them as they are; or text, as UTF-8.
   * @throws {ConnectionLostError} when the connection is gone; {RuntimeError} and {TypeError} as `write` does.
   *
   * **Suspends** only if more than the high-water mark is on its way. **Cancel** ends the wait; the bytes are sent all the same.
   */
  send(data: Data): Operation<void> {
    return new Drain(this, asBytes(data)) as unknown as Operation<void>;
  }

  /**
   * Writes without waiting.
   *
   * @throws {RuntimeError} after `close()` or `writeEof()`; {TypeError} when it is neither bytes nor text. When the connection is gone,
   *   nothing happens, as in asyncio: `drain()` tells it.
   *
   * **Suspends** never. **Source** asyncio/streams.py `StreamWriter.write`.
   */
  write(data: Data): void {
    this._write(asBytes(data));
  }

  /** Writes one after the other. **Suspends** never. **Source** asyncio/streams.py `StreamWriter.writelines`. */
  writelines(parts: Iterable<Data>): void {
    if (typeof parts === "string" || parts instanceof Uint8Array)
      throw unexpected("`parts` to be an iterable of bytes or text", parts);
    this._write(Buffer.concat([...parts].map(asBytes)));
  }

  /**
   * Waits while too much is on its way.
   *
   * @throws {ConnectionLostError} when the connection is gone, with what it was lost by as `cause`.
   *
   * **Suspends** only then. **Cancel** ends the wait. **Source** asyncio/streams.py `StreamWriter.drain`.
   */
  drain(): Operation<void> {
    return new Drain(this, null) as unknown as Operation<void>;
  }

  /** Whether `writeEof()` can be called. **Suspends** never. */
  canWriteEof(): boolean {
    return !this.#closing && !this.#ended && this._transport.canWrite;
  }

  /**
   * Sends what is left, and tells the other side that this was all; reading goes on.
   *
   * **Suspends** never. **Source** asyncio/streams.py `StreamWriter.write_eof`.
   */
  writeEof(): void {
    if (this.#ended || this.#closing) return;
    this._transport.writeEof();
    this.#ended = true;
  }

  /**
   * Sends what is left, and closes both directions; harmless when repeated. `waitClosed()` waits for the end.
   *
   * **Suspends** never. **Source** asyncio/streams.py `StreamWriter.close`.
   */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this._transport.close();
  }

  /** Closes both directions at once: what has not been sent is dropped. **Suspends** never. */
  abort(): void {
    this.#closing = true;
    this._transport.abort();
  }

  /** Whether it is closed, or on its way there. **Suspends** never. */
  isClosing(): boolean {
    return this.#closing || this._lost;
  }

  /**
   * Waits until the connection is gone.
   *
   * @throws what it was lost by, if that was an error.
   *
   * **Suspends** until then. **Cancel** ends the wait. **Source** asyncio/streams.py `StreamWriter.wait_closed`.
   */
  waitClosed(): Operation<void> {
    return this.#untilLost(true);
  }

  /**
   * What is known of the connection: `peername` and `sockname` (`{ address, port, family }`, or the path of a Unix socket), `socket`
   * (Node's), and for TLS `peercert`, `cipher`, `protocol`, `alpn`.
   *
   * **Suspends** never. **Source** asyncio/streams.py `StreamWriter.get_extra_info`.
   */
  getExtraInfo<T = unknown>(name: string, otherwise?: T): T | undefined {
    return (this._transport.getExtraInfo(name) as T | undefined) ?? otherwise;
  }

  /**
   * Goes on by TLS, with the same reader and writer: STARTTLS. A client verifies the other side's certificate unless told not to.
   *
   * Call it as soon as both sides have agreed on it: what was written before is sent in the clear, what comes in from then on is TLS.
   *
   * @param options - Node's TLS options; a server needs a certificate with its `key`.
   * @throws {RuntimeError} with the code `PLAINTEXT_BEFORE_TLS` when something was received and has not been read: it came in the clear,
   *   and must not be taken for what was sent by TLS. Also when a task reads, when the connection is closed, no network connection, or
   *   uses TLS already.
   * @throws {NetworkError} when the handshake fails, {TimeoutError} when it takes too long: the connection is closed then.
   *
   * **Suspends** until the handshake is done. **Cancel** closes the connection. **Source** asyncio/streams.py `StreamWriter.start_tls`.
   */
  startTls(options: TlsOptions = {}): Operation<void> {
    if (typeof options !== "object" || options === null) throw unexpected("`options` to be an object such as { ca }", options);
    const { upgrade } = this._transport;
    if (!upgrade) throw new RuntimeError(`Cannot start TLS on ${this.describe()}: it is no network connection`, "NO_TLS");
    return upgrade(options);
  }

  /** How many bytes were written and are still here. */
  get writeBufferSize(): number {
    return this._transport.writeBufferSize;
  }

  /**
   * Sets how much may be on its way, from the next write on.
   *
   * @param high - In bytes, an integer ≥ 0: `send` and `drain` wait while there is more.
   * @param low - In bytes, an integer from 0 to `high`: the waits end when there is no more than that. A quarter of `high` by default.
   * @throws {RangeError} when they are not such numbers.
   *
   * **Suspends** never. **Source** asyncio/transports.py `WriteTransport.set_write_buffer_limits`.
   */
  setWriteBufferLimits({ high = HIGH_WATER, low = Math.floor(high / 4) }: { high?: number; low?: number } = {}): void {
    if (!Number.isSafeInteger(high) || !Number.isSafeInteger(low) || low < 0 || high < low) {
      throw new RangeError(`Expected \`high\` ≥ \`low\` ≥ 0, both integers, got ${show(high)} and ${show(low)}`);
    }
    this.#high = high;
    this.#low = low;
    this.#lookAtLevel();
  }

  /** At the end of an `await using` block: closes, and waits until the connection is gone, however it goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    while (!this._lost) await this.#untilLost(false);
  }

  /** @internal */
  _write(data: Buffer): void {
    if (this.#closing || this.#ended) {
      const closed = this.#closing ? "close()" : "writeEof()";
      throw new RuntimeError(`Cannot write to ${this.describe()}: ${closed} was called before`, "WRITE_AFTER_END");
    }
    if (this._lost || data.length === 0) return;
    const transport = this._transport;
    const rises = this._full || transport.writeBufferSize + data.length > this.#high;
    transport.write(data, rises ? this.#taken : undefined);
    if (rises) this._full ||= transport.writeBufferSize > this.#high;
  }

  /** @param throws - Whether it throws what the connection was lost by. */
  #untilLost(throws: boolean): Operation<void> {
    const result = (): void => {
      if (throws && this._error !== null) throw this._error;
    };
    return until({ of: this, label: "writer.waitClosed", line: this.#closes, isSo: () => this._lost, result });
  }

  #lookAtLevel(): void {
    if (!this._full || this._transport.writeBufferSize > this.#low) return;
    this._full = false;
    wakeAll(this._drains);
  }

  /** @internal The connection is gone. */
  _connectionLost(error: Error | null): void {
    if (this._lost) return;
    this._lost = true;
    this._error = error;
    wakeAll(this._drains);
    wakeAll(this.#closes);
  }

  /** @internal */
  get _outside(): boolean {
    return this._transport._outside === true;
  }

  describe(): string {
    return this._transport.describe();
  }

  toString(): string {
    const state = this._lost ? "closed" : this.#closing ? "closing" : this._full ? "full" : "open";
    return `<StreamWriter ${state}, ${this.describe()}>`;
  }
}

/** A wait until less is on its way, after a write if there is one. */
class Drain extends Waiter<void> {
  declare readonly _writer: StreamWriter;
  declare readonly _data: Buffer | null;

  constructor(writer: StreamWriter, data: Buffer | null) {
    super();
    this._writer = writer;
    this._data = data;
  }

  override _start(): Step<void> {
    const writer = this._writer;
    if (writer._lost) throw lost(writer);
    if (this._data !== null) writer._write(this._data);
    // The other side may be gone, and this task the last to hear of it: once it has been looked at, `close()` takes effect.
    const blocked = this._blocked();
    if (blocked || writer.isClosing()) {
      writer._drains.join(this);
      const step = this._wait();
      if (!blocked) this._wake();
      return step;
    }
    return done(undefined);
  }

  override _resume(): Step<void> {
    const writer = this._writer;
    writer._drains.leave(this);
    if (writer._lost) throw lost(writer);
    if (!this._blocked()) return done(undefined);
    writer._drains.join(this);
    return this._wait();
  }

  /**
   * RACE  1. the other side goes   2. a write fails at once: Node drops it, so that nothing is on its way   3. the socket tells its error and
   *       its end a little later, and so must this wait.   test: "stdin.drain(), tells that the child has gone"
   */
  _blocked(): boolean {
    const writer = this._writer;
    return writer._full || writer._transport.failed === true;
  }

  override _abandon(): void {
    this._writer._drains.leave(this);
  }

  override describe(): string {
    return this._data === null ? "writer.drain" : "writer.send";
  }

  override _waitsFor(): WaitSource {
    return this._writer;
  }
}

function lost(writer: StreamWriter): Error {
  return new ConnectionLostError(writer.describe(), { cause: writer._error ?? undefined });
}

function asBytes(data: unknown): Buffer {
  if (typeof data === "string") return Buffer.from(data);
  if (Buffer.isBuffer(data)) return data;
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.length);
  throw unexpected("bytes (a Uint8Array) or text to write", data);
}
