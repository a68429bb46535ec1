/** The reading side of a stream of bytes. Mirrors asyncio/streams.py `StreamReader`. */

import { Buffer } from "node:buffer";
import { IncompleteReadError, LimitOverrunError, RuntimeError, show, unexpected } from "../base/errors.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { WaitSource } from "../kernel/suspended.ts";
import { ByteQueue } from "./byte-queue.ts";

/** How many bytes a line, or whatever ends with a separator, may have; 64 KiB. */
export const DEFAULT_LIMIT: number = 2 ** 16;
const NEWLINE: readonly Buffer[] = [Buffer.from("\n")];

/** Where bytes come from, as far as its reader knows: it can be told to hold them back for a while. */
export interface ByteSource {
  /** Shown in messages and wait graphs: `socket 127.0.0.1:80`. */
  describe(): string;
  /** @internal Whether it is outside of the library: a socket, a pipe. */
  readonly _outside?: boolean;
  pauseReading(): void;
  resumeReading(): void;
}

export interface ReaderOptions {
  /** The most bytes that `readline()` and `readuntil()` look through, an integer ≥ 1; 65536 by default. */
  readonly limit?: number | undefined;
}

/**
 * Reads bytes that arrive piece by piece.
 *
 * `openConnection` and its like make it. One task reads at a time. What arrives while nobody reads is kept; once that is more than twice
 * the limit, the source is held back until no more than the limit is left. No byte is taken out by a read that is cancelled or throws,
 * except where it says so.
 *
 * **Source** asyncio/streams.py `StreamReader`.
 *
 * @example
 * ```ts
 * const reader = new StreamReader();
 * reader.feedData(Buffer.from("GET /\nHost: "));
 * (yield* reader.readline()).toString(); // => "GET /\n"
 * (yield* reader.readexactly(4)).toString(); // => "Host"
 * reader.feedEof();
 * (yield* reader.read()).toString(); // => ": "
 * ```
 */
export class StreamReader implements WaitSource {
  readonly limit: number;
  /** @internal */
  readonly _bytes: ByteQueue = new ByteQueue();
  /** @internal */
  _ended = false;
  /** @internal */
  _error: Error | null = null;
  /** @internal The one that waits for bytes. */
  _reader: Read | null = null;
  #source: ByteSource | null = null;
  #heldBack = false;

  /** @throws {RangeError} when `limit` is no integer ≥ 1. */
  constructor(options?: ReaderOptions) {
    const { limit = DEFAULT_LIMIT } = options ?? {};
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new RangeError(`Expected \`limit\` to be an integer ≥ 1, got ${show(limit)}`);
    }
    this.limit = limit;
  }

  /**
   * Reads up to `n` bytes: what there is, or else what comes next; empty only at the end of the stream. Without `n`, all until the end.
   *
   * @param n - How many at most, an integer ≥ 0; Infinity, or -1 as in asyncio: until the end.
   * @throws {RangeError} when `n` is not such a number; {RuntimeError} when another task reads; and what the stream failed with.
   *
   * **Suspends** only if nothing is there. **Cancel** leaves all bytes to be read later.
   * **Source** asyncio/streams.py `StreamReader.read`.
   */
  read(n: number = Number.POSITIVE_INFINITY): Operation<Buffer> {
    const most = n === -1 ? Number.POSITIVE_INFINITY : n;
    if (most !== Number.POSITIVE_INFINITY) checkCount(n, "n");
    return new Read(this, most === Number.POSITIVE_INFINITY ? ALL : SOME, most, NEWLINE) as unknown as Operation<Buffer>;
  }

  /**
   * Reads exactly `n` bytes.
   *
   * @param n - An integer ≥ 0. It may be above the limit.
   * @throws {IncompleteReadError} when the stream ends before; its `partial` has what there was, which is taken out.
   * @throws {RangeError}, {RuntimeError} and what the stream failed with, as `read` does.
   *
   * **Suspends** until so many are there. **Cancel** leaves all bytes. **Source** asyncio/streams.py `StreamReader.readexactly`.
   */
  readexactly(n: number): Operation<Buffer> {
    checkCount(n, "n");
    return new Read(this, EXACTLY, n, NEWLINE) as unknown as Operation<Buffer>;
  }

  /**
   * Reads until a separator, which is part of the result.
   *
   * @param separator - Bytes, or a string (as UTF-8); several in an array: the one that ends first counts, the shortest of those that end
   *   there. A newline by default.
   * @throws {IncompleteReadError} when the stream ends before; its `partial` has what there was, which is taken out.
   * @throws {LimitOverrunError} when there are more than `limit` bytes before the separator; nothing is taken out, and `consumed` says how
   *   many bytes are surely no separator: `readexactly(consumed)` gets rid of them.
   * @throws {TypeError} when there is no separator, or an empty one; {RuntimeError} and what the stream failed with, as `read` does.
   *
   * **Suspends** until it is there. **Cancel** leaves all bytes. **Source** asyncio/streams.py `StreamReader.readuntil`.
   */
  readuntil(separator: string | Uint8Array | readonly (string | Uint8Array)[] = "\n"): Operation<Buffer> {
    const list = typeof separator === "string" || separator instanceof Uint8Array ? [separator] : separator;
    const separators = separator === "\n" ? NEWLINE : asSeparators(list);
    return new Read(this, UNTIL, 0, separators) as unknown as Operation<Buffer>;
  }

  /**
   * Reads a line with its newline; at the end of the stream what is left, empty if nothing is.
   *
   * @throws {LimitOverrunError} when the line has more than `limit` bytes: what is there of it is thrown away, so that the next call goes on.
   * @throws {RuntimeError} and what the stream failed with, as `read` does.
   *
   * **Suspends** until the line is there. **Cancel** leaves all bytes. **Source** asyncio/streams.py `StreamReader.readline`; the
   * error there is a ValueError.
   */
  readline(): Operation<Buffer> {
    return new Read(this, LINE, 0, NEWLINE) as unknown as Operation<Buffer>;
  }

  /** Whether the stream has ended, and all of it was read. **Suspends** never. */
  atEof(): boolean {
    return this._ended && this._bytes.length === 0;
  }

  /** What the stream has failed with; null if it has not. **Suspends** never. */
  exception(): Error | null {
    return this._error;
  }

  /** How many bytes are there and have not been read. */
  get buffered(): number {
    return this._bytes.length;
  }

  /** Lines, until the end of the stream: `for await (const line of reader)`. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> & AsyncDisposable {
    const reader = this;
    let over = false;
    return {
      async next() {
        const line = over ? null : await reader.readline();
        over ||= line?.length === 0;
        return line === null || over ? { done: true, value: undefined } : { done: false, value: line };
      },
      async return() {
        over = true;
        return { done: true, value: undefined };
      },
      async [Symbol.asyncDispose]() {
        over = true;
      },
    };
  }

  // ── For those who bring the bytes ────────────────────────────────────────────────────────────────────────────────────

  /** Connects it with what it holds back when too much comes. **Suspends** never. */
  setSource(source: ByteSource): void {
    this.#source = source;
  }

  /**
   * Adds bytes at the end. They are not copied: leave them as they are.
   *
   * @throws {RuntimeError} after `feedEof()`.
   *
   * **Suspends** never. **Source** asyncio/streams.py `StreamReader.feed_data`.
   */
  feedData(data: Uint8Array): void {
    if (this._ended) throw new RuntimeError("Cannot feed data: the stream has ended by feedEof()", "STREAM_ENDED");
    if (!(data instanceof Uint8Array)) throw unexpected("`data` to be a Uint8Array", data);
    if (data.length > 0) this._feed(Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.length));
  }

  /** @internal As feedData, for a transport that knows what it has. */
  _feed(data: Buffer): void {
    this._bytes.push(data);
    const reader = this._reader;
    // Whoever waits needs more: to hold the source back would be to wait for ever.
    if (reader !== null && !reader._satisfied()) return;
    reader?._wake();
    if (this.#source === null || this.#heldBack || this._bytes.length <= 2 * this.limit) return;
    this.#heldBack = true;
    this.#source.pauseReading();
  }

  /** No more bytes will come. **Suspends** never. **Source** asyncio/streams.py `StreamReader.feed_eof`. */
  feedEof(): void {
    this._ended = true;
    this._reader?._wake();
  }

  /** The stream has failed: whoever reads gets the error, now and later. **Suspends** never. */
  setException(error: Error): void {
    this._error = error;
    this._reader?._wake();
  }

  /** @internal Bytes were taken out, or somebody needs more: the source may go on. */
  _goOn(): void {
    if (!this.#heldBack || (this._bytes.length > this.limit && this._reader === null)) return;
    this.#heldBack = false;
    this.#source?.resumeReading();
  }

  /** @internal */
  get _outside(): boolean {
    return this.#source?._outside === true;
  }

  describe(): string {
    return `data of ${this.#source?.describe() ?? "a stream"}`;
  }

  toString(): string {
    const state = this._error !== null ? `failed: ${this._error.message}` : this._ended ? "ended" : "open";
    return `<StreamReader ${state}, ${this._bytes.length} bytes buffered>`;
  }
}

const SOME = 0;
const ALL = 1;
const EXACTLY = 2;
const UNTIL = 3;
const LINE = 4;

/**
 * A read. It takes nothing before it ends: the bytes stay in the queue while it waits.
 *
 * PERF  one class for all kinds: what reads is in the hot path of each connection, and stays monomorphic.
 */
class Read extends Op<Buffer> {
  declare readonly _stream: StreamReader;
  declare readonly _kind: number;
  declare readonly _count: number;
  declare readonly _separators: readonly Buffer[];
  /** UNTIL and LINE: no separator begins before here. */
  declare _searched: number;
  /** UNTIL and LINE: where the separator begins and ends, once it is found; -1: not there. */
  declare _matchStart: number;
  declare _matchEnd: number;

  constructor(stream: StreamReader, kind: number, count: number, separators: readonly Buffer[]) {
    super();
    this._stream = stream;
    this._kind = kind;
    this._count = count;
    this._separators = separators;
    this._searched = 0;
    this._matchStart = -1;
    this._matchEnd = -1;
  }

  override _start(): Step<Buffer> {
    const stream = this._stream;
    if (stream._reader !== null) {
      throw new RuntimeError("Cannot read: another task reads from this stream already; let one task read", "READER_BUSY");
    }
    if (stream._error !== null) throw stream._error;
    if (this._satisfied()) return done(this._take());
    return this._stand();
  }

  override _resume(): Step<Buffer> {
    const stream = this._stream;
    stream._reader = null;
    if (stream._error !== null) throw stream._error;
    if (this._satisfied()) return done(this._take());
    return this._stand();
  }

  _stand(): Step<Buffer> {
    this._stream._reader = this;
    const step = this._wait();
    this._stream._goOn();
    return step;
  }

  override _abandon(): void {
    if (this._stream._reader === this) this._stream._reader = null;
  }

  /** Whether it can end now. */
  _satisfied(): boolean {
    const stream = this._stream;
    if (this._kind >= UNTIL && this._matchEnd < 0) this._find(stream._bytes);
    if (stream._ended || stream._error !== null) return true;
    switch (this._kind) {
      case SOME:
        return stream._bytes.length > 0 || this._count === 0;
      case EXACTLY:
        return stream._bytes.length >= this._count;
      case ALL:
        return false;
      default:
        return this._matchEnd >= 0 || this._searched > stream.limit;
    }
  }

  /** Looks for the separator that ends first, in what was not looked at before. */
  _find(bytes: ByteQueue): void {
    let longest = 0;
    for (const separator of this._separators) {
      longest = Math.max(longest, separator.length);
      const begin = bytes.indexOf(separator, this._searched);
      const end = begin + separator.length;
      if (begin < 0 || (this._matchEnd >= 0 && end >= this._matchEnd)) continue;
      this._matchStart = begin;
      this._matchEnd = end;
    }
    // The end of what is there may be the beginning of a separator.
    this._searched = Math.max(0, bytes.length + 1 - longest);
  }

  /** The result, taken out of the stream. */
  _take(): Buffer {
    if (this._kind >= UNTIL) return this._takeFound();
    const taken = this._takeOut(this._count);
    if (this._kind === EXACTLY && taken.length < this._count) throw new IncompleteReadError(taken, this._count);
    return taken;
  }

  _takeFound(): Buffer {
    const { limit, _bytes: bytes } = this._stream;
    const found = this._matchEnd >= 0;
    const before = found ? this._matchStart : this._searched;
    const line = this._kind === LINE;
    if (before > limit) {
      // A line is thrown away, so that whoever goes on does not find it again.
      if (line) this._takeOut(found ? this._matchEnd : bytes.length);
      const [what, remedy] = line ? ["a line", ""] : ["a separator", ", or read it in parts"];
      throw new LimitOverrunError(
        `Expected ${what} within ${limit} bytes, got ${before} without; raise \`limit\`${remedy}`,
        before,
      );
    }
    const taken = this._takeOut(found ? this._matchEnd : bytes.length);
    if (!found && !line) throw new IncompleteReadError(taken);
    return taken;
  }

  _takeOut(count: number): Buffer {
    const taken = this._stream._bytes.take(count);
    this._stream._goOn();
    return taken;
  }

  override describe(): string {
    // In debug mode it is asked while it is being made.
    return KINDS[this._kind] ?? "reader.read";
  }

  override _waitsFor(): WaitSource {
    return this._stream;
  }
}

const KINDS: readonly string[] = ["reader.read", "reader.read", "reader.readexactly", "reader.readuntil", "reader.readline"];

function asSeparators(list: readonly unknown[]): readonly Buffer[] {
  if (!Array.isArray(list) || list.length === 0) {
    throw unexpected("`separator` to be bytes, a string, or an array of these", list);
  }
  const separators = list.map((each) => {
    if (typeof each !== "string" && !(each instanceof Uint8Array))
      throw unexpected("each separator to be bytes or a string", each);
    if (each.length === 0) throw new TypeError("Expected each separator to have at least one byte, got an empty one");
    return typeof each === "string" ? Buffer.from(each) : Buffer.from(each.buffer, each.byteOffset, each.length);
  });
  // Of those that end together the first one counts: let it be the shortest.
  return separators.sort((a, b) => a.length - b.length);
}

function checkCount(n: unknown, name: string): void {
  if (!Number.isSafeInteger(n) || (n as number) < 0) {
    throw new RangeError(`Expected \`${name}\` to be an integer ≥ 0, got ${show(n)}`);
  }
}
