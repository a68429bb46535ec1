/** Files by `node:fs/promises`: what is cancelled leaves no handle and no half-written file behind. */

import type { FileHandle } from "node:fs/promises";
import { show, unexpected } from "../base/errors.ts";
import { shielded } from "../flow/shield.ts";
import { operation } from "../kernel/coroutine.ts";
import { type Body, callBody, checkBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { Lock } from "../sync/lock.ts";
import { builtin } from "./builtin.ts";
import { fromPromise } from "./from-promise.ts";
import { GRACE } from "./source.ts";

/** The encodings that Node reads text by. */
type Encoding = "ascii" | "base64" | "base64url" | "hex" | "latin1" | "utf-8" | "utf8" | "utf16le" | "ucs2";
export type Path = string | URL;

/**
 * Opens a file for a body, and closes it in every way out.
 *
 * @param path - Of the file.
 * @param flags - As of `fs.open`: `"r"`, `"w"`, `"a+"`, …
 * @param body - A `function*` or an async function; gets the file.
 * @throws what `fs.open` does; {TypeError} for wrong arguments, at once.
 *
 * **Suspends** as opening, the body and closing do. **Cancel** goes to the body. **Source** Python's `with open(…)`.
 *
 * @example
 * ```ts
 * yield* withFile("/dev/null", "r", function* (file) { return (yield* file.read()).length; }); // => 0
 * ```
 */
export function withFile<T>(path: Path, flags: string, body: Body<[file: OpenFile], T>): Operation<T> {
  checkPath(path, "withFile");
  if (typeof flags !== "string") throw unexpected('`flags` of withFile() to be a string such as "r"', flags);
  checkBody(body, "withFile");
  builtin("node:fs/promises", "withFile");
  return operation(using(path, flags, body), "withFile");
}

function* using<T>(path: Path, flags: string, body: Body<[file: OpenFile], T>): Coroutine<T> {
  const file = yield* openFile(path, flags);
  try {
    return yield* callBody(body, file);
  } finally {
    yield* shielded(() => file.close());
  }
}

/** Opens a file. Cancelled, it closes what is opened all the same. */
export function* openFile(
  path: Path,
  flags: string,
  { mode, grace = GRACE }: { readonly mode?: number | undefined; readonly grace?: number } = {},
): Coroutine<OpenFile> {
  const { open } = builtin("node:fs/promises", "withFile");
  const release = (handle: FileHandle): Promise<void> => handle.close();
  const handle = yield* fromPromise(() => open(path, flags, mode), { grace, release });
  return new OpenFile(handle);
}

/** An open file; `withFile` makes one. Reads follow each other in the order of the calls, and so do writes. */
export class OpenFile {
  /** Node's own, for all that is not here: `fromPromise(() => file.handle.stat())`. */
  readonly handle: FileHandle;
  /** STATE  a read that is under way, or whose bytes nobody has taken: the next read gets them. */
  #reading: Promise<Uint8Array> | null = null;
  #left: Uint8Array | null = null;
  readonly #reads = new Lock();
  readonly #writes = new Lock();

  /** @internal */
  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  /**
   * Reads what comes next.
   *
   * @param size - The greatest number of bytes, an integer ≥ 1; 65536 by default.
   * @returns at least one byte; none at the end of the file.
   *
   * **Suspends** until they are there. **Cancel** loses none: they are given by the next read.
   */
  read(size = 65_536): Operation<Uint8Array> {
    checkSize(size, "size", "read");
    return operation(this.#read(size), "file.read");
  }

  *#read(size: number): Coroutine<Uint8Array> {
    const guard = yield* this.#reads.acquire();
    try {
      let bytes = this.#left;
      if (bytes === null) {
        this.#reading ??= this.#fill(size);
        bytes = yield* fromPromise(this.#reading);
        this.#reading = null;
      }
      this.#left = bytes.length > size ? bytes.subarray(size) : null;
      return bytes.subarray(0, size);
    } finally {
      guard.release();
    }
  }

  async #fill(size: number): Promise<Uint8Array> {
    try {
      const { buffer, bytesRead } = await this.handle.read(new Uint8Array(size), 0, size, null);
      return buffer.subarray(0, bytesRead);
    } catch (error) {
      // The next one tries again.
      this.#reading = null;
      throw error;
    }
  }

  /**
   * Writes all of it.
   *
   * @param data - Text is written as UTF-8.
   *
   * **Suspends** until it is handed to the system. **Cancel** waits for the write that is under way; a part may be written then.
   */
  write(data: string | Uint8Array): Operation<void> {
    checkData(data, "write");
    return operation(this.#write(typeof data === "string" ? new TextEncoder().encode(data) : data), "file.write");
  }

  *#write(data: Uint8Array): Coroutine<void> {
    const guard = yield* this.#writes.acquire();
    try {
      for (let rest = data; rest.length > 0; ) {
        const bytes = rest;
        const { bytesWritten } = yield* fromPromise(() => this.handle.write(bytes), { grace: GRACE });
        rest = rest.subarray(bytesWritten);
      }
    } finally {
      guard.release();
    }
  }

  /** Writes what the system keeps back to the disk. **Suspends** until it is there. **Cancel** waits for it, too, for a second. */
  sync(): Operation<void> {
    return fromPromise(() => this.handle.sync(), { grace: GRACE });
  }

  /** Closes it, after what is under way. Harmless when repeated. **Suspends** until it is closed. **Cancel** ends the wait. */
  close(): Operation<void> {
    return fromPromise(() => this.handle.close());
  }
}

/**
 * Reads a whole file: as text, if an encoding is given, else as bytes.
 *
 * @param path - Of the file.
 * @param options - `encoding`: one of Node's, such as `"utf8"`.
 * @throws what `fs.readFile` does; {TypeError} for wrong arguments, at once.
 *
 * **Suspends** until it is read. **Cancel** stops reading and awaits that. **Source** `fs.readFile`, with the task's signal.
 *
 * @example
 * ```ts
 * (yield* readFile("/dev/null", { encoding: "utf8" })); // => ""
 * ```
 */
export function readFile(path: Path, options: { readonly encoding: Encoding }): Operation<string>;
export function readFile(path: Path, options?: { readonly encoding?: undefined }): Operation<Uint8Array>;
export function readFile(
  path: Path,
  options: { readonly encoding?: Encoding | undefined } = {},
): Operation<string | Uint8Array> {
  checkPath(path, "readFile");
  const { encoding } = options;
  const fs = builtin("node:fs/promises", "readFile");
  return fromPromise<string | Uint8Array>((signal) => fs.readFile(path, { encoding: encoding ?? null, signal }), {
    grace: GRACE,
  });
}

/**
 * Writes a whole file, or nothing: into a temporary file beside it, which takes its name once it is on the disk.
 *
 * Whoever reads the file sees the old content or the new one, also after a power cut. Cancelled or failing, it leaves the old file as
 * it was and nothing beside it. Mode bits are kept; a symbolic link is followed.
 *
 * @param path - Of the file, which need not exist; its folder must.
 * @param data - Text is written as UTF-8.
 * @param options - `mode`: of a file that is new, 0o666 less the umask by default.
 * @throws what the system tells: no such folder, no space, no permission; {TypeError} for wrong arguments, at once.
 *
 * **Suspends** until it is on the disk. **Cancel** removes the temporary file and awaits that. **Source** replaces
 * write-file-atomic.
 *
 * @example
 * ```ts
 * yield* writeFileAtomic("/no/such/folder/file", "text"); // throws Error
 * ```
 */
export function writeFileAtomic(
  path: Path,
  data: string | Uint8Array,
  options: { readonly mode?: number | undefined } = {},
): Operation<void> {
  checkPath(path, "writeFileAtomic");
  checkData(data, "writeFileAtomic");
  const { mode } = options;
  if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0)) {
    throw unexpected("`mode` of writeFileAtomic() to be an integer such as 0o644", mode);
  }
  builtin("node:fs/promises", "writeFileAtomic");
  return operation(replace(path, data, mode), "writeFileAtomic");
}

let made = 0;

function* replace(path: Path, data: string | Uint8Array, mode: number | undefined): Coroutine<void> {
  const fs = builtin("node:fs/promises", "writeFileAtomic");
  const { dirname, join, basename } = builtin("node:path", "writeFileAtomic");
  const given = typeof path === "string" ? path : builtin("node:url", "writeFileAtomic").fileURLToPath(path);
  const { final, old } = yield* fromPromise(async () => {
    try {
      const found = await fs.realpath(given);
      return { final: found, old: await fs.stat(found) };
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error;
      return { final: join(await fs.realpath(dirname(given)), basename(given)), old: null };
    }
  });
  const folder = dirname(final);
  const temporary = join(folder, `.${basename(final)}.${process.pid}.${++made}.${Math.random().toString(36).slice(2)}.tmp`);
  let renamed = false;
  try {
    // However long it takes: what is made must be removed.
    const file = yield* openFile(temporary, "wx", { mode, grace: Number.POSITIVE_INFINITY });
    try {
      yield* file.write(data);
      if (old !== null) yield* fromPromise(() => file.handle.chmod(old.mode & 0o7777), { grace: GRACE });
      yield* file.sync();
    } finally {
      yield* shielded(() => file.close());
    }
    // From here on it is done: a cancellation comes too late.
    yield* shielded(function* () {
      yield* fromPromise(() => fs.rename(temporary, final));
      renamed = true;
      yield* fromPromise(() => syncFolder(folder));
    });
  } finally {
    if (!renamed) yield* shielded(() => fromPromise(() => fs.rm(temporary, { force: true })));
  }

  /** The new name is on the disk once its folder is; where folders cannot be opened (Windows), that is the system's matter. */
  async function syncFolder(name: string): Promise<void> {
    const handle = await fs.open(name, "r").catch(() => null);
    await handle?.sync().catch(() => {});
    await handle?.close();
  }
}

export function checkPath(path: unknown, user: string): void {
  if (typeof path === "string" && path !== "") return;
  if (path instanceof URL && path.protocol === "file:") return;
  throw unexpected(`\`path\` of ${user}() to be a path or a file: URL`, path);
}

function checkData(data: unknown, user: string): void {
  if (typeof data === "string" || data instanceof Uint8Array) return;
  throw unexpected(`\`data\` of ${user}() to be a string or a Uint8Array`, data);
}

export function checkSize(size: unknown, name: string, user: string): void {
  if (Number.isInteger(size) && (size as number) >= 1) return;
  throw new RangeError(`Expected \`${name}\` of ${user}() to be an integer ≥ 1, got ${show(size)}`);
}
