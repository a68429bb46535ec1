/** Files piece by piece: in chunks, or line by line, with no more in memory than is asked for. */

import { isCancelled, LimitOverrunError, unexpected } from "../base/errors.ts";
import { shielded } from "../flow/shield.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Lock } from "../sync/lock.ts";
import { builtin } from "./builtin.ts";
import { checkPath, checkSize, type OpenFile, openFile, type Path } from "./files.ts";
import { BaseSource, END, type Source } from "./source.ts";

const CHUNK = 65_536;

/**
 * Reads a file in chunks. It is opened with the first `next()`, and closed at its end and in every other way out.
 *
 * @param path - Of the file.
 * @param options - `size`: the greatest number of bytes of a chunk, an integer ≥ 1; 65536 by default.
 * @throws {TypeError} and {RangeError} for wrong arguments, at once; from `next()` what the system tells.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** replaces `fs.createReadStream`.
 *
 * @example
 * ```ts
 * const chunks = readChunks("/dev/null", { size: 1024 });
 * (yield* chunks.next()).done; // => true
 * ```
 */
export function readChunks(path: Path, options: { readonly size?: number | undefined } = {}): Source<Uint8Array> {
  const { size = CHUNK } = options;
  checkPath(path, "readChunks");
  checkSize(size, "size", "readChunks");
  builtin("node:fs/promises", "readChunks");
  return new Chunks(path, "readChunks", size);
}

abstract class FileSource<T> extends BaseSource<T> {
  readonly #path: Path;
  readonly #size: number;
  #file: OpenFile | null = null;
  /** Of several that wait, one reads at a time. */
  readonly #lock = new Lock();
  #over = false;

  constructor(path: Path, label: string, size: number) {
    super(label);
    this.#path = path;
    this.#size = size;
  }

  /** @internal What is there to give, read from the file if need be by `_read`; null at the end. */
  abstract _next(): Coroutine<T | null>;

  /** @internal The next bytes; none at the end. */
  *_read(): Coroutine<Uint8Array> {
    this.#file ??= yield* openFile(this.#path, "r");
    return yield* this.#file.read(this.#size);
  }

  override *_take(): Coroutine<IteratorResult<T, undefined>> {
    const guard = yield* this.#lock.acquire();
    try {
      const value = this.#over ? null : yield* this._next();
      if (value !== null && !this.#over) return { done: false, value };
    } catch (error) {
      if (!isCancelled(error)) yield* this._close();
      throw error;
    } finally {
      guard.release();
    }
    yield* this._close();
    return END;
  }

  override *_close(): Coroutine<void> {
    this.#over = true;
    const file = this.#file;
    this.#file = null;
    if (file !== null) yield* shielded(() => file.close());
  }
}

class Chunks extends FileSource<Uint8Array> {
  override *_next(): Coroutine<Uint8Array | null> {
    const bytes = yield* this._read();
    return bytes.length === 0 ? null : bytes;
  }
}

/** Options of `readLines`. */
export interface ReadLinesOptions {
  /** As TextDecoder knows it: `"utf-8"` (default), `"utf-16le"`, `"latin1"`, … */
  readonly encoding?: string | undefined;
  /** The greatest length of a line in characters, an integer ≥ 1, or Infinity; 1,048,576 by default. */
  readonly limit?: number | undefined;
}

/**
 * Reads a text file line by line, without the line ends `\n` or `\r\n`. What follows the last line end is a line, if it is not empty.
 *
 * @param path - Of the file, which is opened with the first `next()`, and closed at its end and in every other way out.
 * @param options - `encoding`, `limit`.
 * @throws {TypeError} and {RangeError} for wrong arguments, at once; from `next()` {LimitOverrunError} for a line that is longer than
 * `limit`, and what the system tells.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** replaces Node's `readline` and Python's
 * `for line in file`.
 *
 * @example
 * ```ts
 * const lines = readLines("/dev/null");
 * (yield* lines.next()).done; // => true
 * ```
 */
export function readLines(path: Path, options: ReadLinesOptions = {}): Source<string> {
  const { encoding = "utf-8", limit = 1_048_576 } = options;
  checkPath(path, "readLines");
  if (typeof encoding !== "string") throw unexpected('`encoding` of readLines() to be a string such as "utf-8"', encoding);
  if (limit !== Number.POSITIVE_INFINITY) checkSize(limit, "limit", "readLines");
  builtin("node:fs/promises", "readLines");
  return new Lines(path, new TextDecoder(encoding), limit);
}

class Lines extends FileSource<string> {
  readonly #decoder: InstanceType<typeof TextDecoder>;
  readonly #limit: number;
  /** Text that was read, and how much of it was given. */
  #text = "";
  #given = 0;
  /** Of the line that has not come to its end; in parts, as joining it at each chunk would take time by the square. */
  #parts: string[] = [];
  #length = 0;
  #ended = false;

  constructor(path: Path, decoder: InstanceType<typeof TextDecoder>, limit: number) {
    super(path, "readLines", CHUNK);
    this.#decoder = decoder;
    this.#limit = limit;
  }

  override *_next(): Coroutine<string | null> {
    for (;;) {
      const end = this.#text.indexOf("\n", this.#given);
      if (end >= 0) {
        const line = this.#join(end);
        this.#given = end + 1;
        return line.endsWith("\r") ? line.slice(0, -1) : line;
      }
      if (this.#given < this.#text.length) this.#keep(this.#text.length);
      this.#text = "";
      this.#given = 0;
      if (this.#ended) {
        const rest = this.#join(0);
        return rest === "" ? null : rest;
      }
      const bytes = yield* this._read();
      this.#ended = bytes.length === 0;
      this.#text = this.#decoder.decode(bytes, { stream: !this.#ended });
    }
  }

  /** The text up to `end` is a part of the line. */
  #keep(end: number): void {
    const part = this.#text.slice(this.#given, end);
    this.#length += part.length;
    this.#parts.push(part);
    // One more for a "\r" that may belong to the end.
    if (this.#length <= this.#limit + 1 && !(this.#length > this.#limit && !part.endsWith("\r"))) return;
    throw new LimitOverrunError(
      `Cannot read a line of more than ${this.#limit} characters by readLines(); raise \`limit\`, or use readChunks()`,
      this.#length,
    );
  }

  #join(end: number): string {
    this.#keep(end);
    const line = this.#parts.join("");
    this.#parts = [];
    this.#length = 0;
    return line;
  }
}
