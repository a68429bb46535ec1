/** Finds stale writes: a value is read, another task runs and changes it, and what was computed from the old one is written. */

import { RuntimeError, unexpected } from "../base/errors.ts";
import { current, currentTask, runningLoop } from "../kernel/current.ts";
import { watchOf } from "./watch.ts";

/** What is known of one property. */
interface Cell {
  /** Counts the writes. */
  version: number;
  writer: string;
  wrote: string;
  /** The version that each task has last seen, and where. */
  readonly seen: WeakMap<object, { version: number; at: string }>;
}

type Key = unknown;

/** A `shared()` object was written from a value that was out of date. */
export class StaleWriteError extends RuntimeError {
  override name = "StaleWriteError";
  constructor(message: string) {
    super(message, "STALE_WRITE");
  }
}

const plain = new WeakMap<object, object>();

/**
 * Watches an object that several tasks change: reports a task that writes what it computed from a value which another task has
 * changed since, even when no check fails.
 *
 * JavaScript runs one thing at a time, so between two waits nothing can interfere; but a value that was read before a `yield*` or
 * `await` may be out of date behind it. Objects, arrays, Maps and Sets inside are watched, too.
 *
 * @param object - A plain object, an array, a Map or a Set; it is not copied.
 * @param name - Shown in reports.
 * @returns the object, to be used in its place.
 * @throws {TypeError} for anything else. In a test the run fails with the problem STALE_WRITE; elsewhere the write throws
 *   {StaleWriteError}.
 *
 * **Suspends** never. **Source** ours.
 *
 * @example
 * ```ts no-task
 * const account = shared({ balance: 0 }, "account");
 * await runTest(function* () {
 *   account.balance += 1; // no wait between reading and writing
 *   return account.balance;
 * }); // => 1
 * ```
 */
export function shared<T extends object>(object: T, name = "shared"): T {
  if (!isWatchable(object)) throw unexpected("a plain object, an array, a Map or a Set for shared()", object);
  return watched(object, name) as T;
}

function watched(object: object, name: string): object {
  const known = plain.get(object);
  if (known !== undefined) return known;
  const cells = new Map<Key, Cell>();
  const track: Track = {
    read: (key) => read(cells, key),
    write: (key) => write(cells, key, name),
    inside: (value, key) => (isWatchable(value) ? watched(value, `${name}.${String(key)}`) : value),
  };
  const proxy =
    object instanceof Map || object instanceof Set ? watchedCollection(object, track) : watchedObject(object, track);
  plain.set(object, proxy);
  plain.set(proxy, proxy);
  return proxy;
}

interface Track {
  read(key: Key): void;
  write(key: Key): void;
  /** A value as it is handed out: what can be watched is. */
  inside(value: unknown, key: Key): unknown;
}

function watchedObject(object: object, track: Track): object {
  return new Proxy(object, {
    get(target, key, receiver) {
      const value = Reflect.get(target, key, receiver);
      // Methods are not data; an array's own methods read and write through the proxy.
      if (typeof value === "function" && !Object.hasOwn(target, key)) return value;
      track.read(key);
      return track.inside(value, key);
    },
    has(target, key) {
      track.read(key);
      return Reflect.has(target, key);
    },
    set(target, key, value) {
      track.write(key);
      return Reflect.set(target, key, value);
    },
    deleteProperty(target, key) {
      track.write(key);
      return Reflect.deleteProperty(target, key);
    },
    defineProperty(target, key, descriptor) {
      track.write(key);
      return Reflect.defineProperty(target, key, descriptor);
    },
    ownKeys(target) {
      for (const key of Reflect.ownKeys(target)) track.read(key);
      return Reflect.ownKeys(target);
    },
  });
}

/** Methods of a Map or Set work on the object itself; each is told of the keys that it reads and writes. */
function watchedCollection(target: Map<unknown, unknown> | Set<unknown>, track: Track): object {
  const map = target as Map<unknown, unknown>;
  const readAll = (): void => {
    for (const key of map.keys()) track.read(key);
  };
  const methods: Record<string, (...args: never[]) => unknown> = {
    get: (key: unknown) => {
      track.read(key);
      return track.inside(map.get(key), key);
    },
    has: (key: unknown) => {
      track.read(key);
      return map.has(key);
    },
    set: (key: unknown, value: unknown) => {
      track.write(key);
      map.set(key, value);
      return proxy;
    },
    add: (key: unknown) => {
      track.write(key);
      (target as Set<unknown>).add(key);
      return proxy;
    },
    delete: (key: unknown) => {
      track.write(key);
      return map.delete(key);
    },
    clear: () => {
      for (const key of map.keys()) track.write(key);
      map.clear();
    },
  };
  const proxy: object = new Proxy(target, {
    get(_, key) {
      const method = typeof key === "string" ? methods[key] : undefined;
      if (method !== undefined && key in target) return method;
      readAll();
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return proxy;
}

function cellOf(cells: Map<Key, Cell>, key: Key): Cell {
  let cell = cells.get(key);
  if (cell === undefined) {
    cell = { version: 0, writer: "", wrote: "", seen: new WeakMap() };
    cells.set(key, cell);
  }
  return cell;
}

function read(cells: Map<Key, Cell>, key: Key): void {
  const task = currentTask();
  if (task === null) return;
  const cell = cellOf(cells, key);
  cell.seen.set(task, { version: cell.version, at: place() });
}

function write(cells: Map<Key, Cell>, key: Key, name: string): void {
  const task = currentTask();
  const cell = cellOf(cells, key);
  const seen = task === null ? undefined : cell.seen.get(task);
  const stale = seen !== undefined && seen.version !== cell.version;
  const { writer, wrote } = cell;
  cell.version++;
  cell.writer = task?.name ?? "no task";
  cell.wrote = place();
  if (task !== null) cell.seen.set(task, { version: cell.version, at: cell.wrote });
  if (!stale) return;
  const message = `stale write: "${task?.name}" wrote ${name}.${String(key)}${cell.wrote} from what it had read${seen.at} before "${writer}" changed it${wrote}`;
  const loop = runningLoop();
  const watch = loop === null ? undefined : watchOf(loop);
  if (watch === undefined) throw new StaleWriteError(`${message}; hold a lock from the read to the write, or read again`);
  watch.onProblem({ code: "STALE_WRITE", message });
}

/** Where the caller stands; only while a failure is written down, as it costs more than the whole rest. */
function place(): string {
  if (!current.debug || current.debugTools === null) return "";
  const here = {};
  current.debugTools.noteOrigin(here);
  const origin = current.debugTools.originOf(here);
  return origin === undefined ? "" : ` (${origin})`;
}

function isWatchable(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (plain.get(value) === value || Array.isArray(value) || value instanceof Map || value instanceof Set) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
