// Reads a folder of packages, many files at a time, and adds up what it finds.
//
// What bounds it is one word of tsyncio each, and none knows of the others: `forEach` reads the walk only as far as there is room
// (`ahead`), a Semaphore bounds the open files and lets manifests go first, a CapacityLimiter bounds the memory, a Batcher reads a
// manifest once for all who ask for it, `retry` waits until a trouble has passed, `moveOnAfter` is the deadline. Ctrl-C needs no code.

import { dirname, join, relative } from "node:path";
import {
  Batcher,
  CapacityLimiter,
  type Coroutine,
  currentTask,
  forEach,
  isCancelled,
  map,
  moveOnAfter,
  RetryError,
  reportProgress,
  retry,
  Semaphore,
  type Task,
} from "tsyncio";
import { FileProblem, type Files, mayPass, systemCode } from "./files.ts";
import { type Manifest, parseManifest } from "./manifest.ts";
import type { Settings } from "./options.ts";
import { countLines, Tally } from "./totals.ts";
import { type Found, walk } from "./walk.ts";

/** A manifest with what it counts for itself. */
interface Read extends Manifest {
  readonly bytes: number;
  readonly lines: number;
}

/** The unit of the memory limit. */
const KILOBYTE = 1024;
/** Scripts wait for the manifests of their packages, so those go first where both wait. */
const URGENT = 1;

export class Dataset {
  readonly tally: Tally;
  /** Why the sums are not those of the whole folder; null once they are. */
  stoppedBy: "deadline" | "interrupt" | "error" | null = "error";
  /** How many files the walk has found so far. */
  found = 0;

  readonly #files: Files;
  readonly #root: string;
  readonly #settings: Settings;
  /** Files that may be open at a time. */
  readonly #open: Semaphore;
  /** Kilobytes that may be held at a time. */
  readonly #memory: CapacityLimiter;
  /**
   * Manifests by folder; null where there is none. Every script asks for those of the folders above it: what thousands ask for at the
   * same time is one call for some dozens, and each manifest is read once.
   */
  readonly #manifests: Batcher<string, Read | null>;

  constructor(files: Files, root: string, settings: Settings) {
    this.#files = files;
    this.#root = root;
    this.#settings = settings;
    this.tally = new Tally((path) => relative(root, path) || ".");
    this.#open = new Semaphore(settings.open, { name: "open files", order: "priority" });
    this.#memory = new CapacityLimiter(Math.max(1, Math.floor(settings.memory / KILOBYTE)), { name: "memory (kB)" });
    this.#manifests = new Batcher<string, Read | null>((folders) => this.#readManifests(folders), {
      name: "manifests",
      maxSize: 64,
      cache: true,
      cacheErrors: true,
    });
  }

  /** What the manifests were asked for, and in how many calls they were read. */
  lookups(): { asked: number; read: number; calls: number } {
    const { loads, keys, batches } = this.#manifests.statistics();
    return { asked: loads, read: keys, calls: batches };
  }

  /**
   * Adds up the folder. However this ends (all done, the deadline, a cancellation), nothing of it runs any more, and `tally` is sound:
   * it has some files whole and the others not at all. `stoppedBy` tells whether it has all.
   */
  *run(): Coroutine<void> {
    const main = taskHere();
    reportProgress({ unit: "files" });
    try {
      const { timedOut } = yield* moveOnAfter(this.#settings.deadline, () =>
        forEach(this.#walk(main), (found) => this.#take(found, main), { concurrency: this.#settings.ahead, name: "file" }),
      );
      this.stoppedBy = timedOut ? "deadline" : null;
    } catch (error) {
      if (isCancelled(error)) this.stoppedBy = "interrupt";
      throw error;
    }
  }

  async *#walk(main: Task<unknown>): AsyncGenerator<Found> {
    for await (const found of walk(this.#files, this.#root, (problem) => this.tally.addProblem(problem))) {
      this.found++;
      yield found;
    }
    reportProgress({ total: this.found }, { task: main });
  }

  /** One file. It is added at the very end, without a wait in between: all of it, or nothing. */
  *#take({ kind, path, folder }: Found, main: Task<unknown>): Coroutine<void> {
    try {
      if (kind === "manifest") yield* this.#takeManifest(path, folder);
      else yield* this.#takeScript(path, folder);
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      this.tally.addProblem(error);
    }
    reportProgress({ advance: 1, message: relative(this.#root, folder) }, { task: main });
  }

  *#takeManifest(path: string, folder: string): Coroutine<void> {
    taskHere().priority = URGENT;
    const manifest = yield* this.#manifests.load(folder);
    if (manifest === null) throw new FileProblem(path, "ENOENT", undefined);
    this.tally.addManifest(manifest, folder, manifest.bytes, manifest.lines);
  }

  *#takeScript(path: string, folder: string): Coroutine<void> {
    const { bytes, lines } = yield* this.#read(path, (content) => ({ bytes: content.length, lines: countLines(content) }));
    // ORDER  here, and not in the read: the manifest needs an open file, too; who waits for it must not hold one.
    const owner = yield* this.#ownerOf(folder);
    this.tally.addScript(owner, bytes, lines);
  }

  /** The nearest package above: the first manifest with a name. */
  *#ownerOf(start: string): Coroutine<{ folder: string; name: string } | null> {
    for (let folder = start; ; folder = dirname(folder)) {
      try {
        const manifest = yield* this.#manifests.load(folder);
        if (manifest?.name !== undefined) return { folder, name: manifest.name };
      } catch (error) {
        // It is reported where the walk has found it; here it says nothing, as if it were not there.
        if (!(error instanceof FileProblem)) throw error;
      }
      if (folder === this.#root) return null;
    }
  }

  /** What the batcher calls. An error is an answer, too: it is for those who ask for that manifest, and no others. */
  *#readManifests(folders: readonly string[]): Coroutine<(Read | null | FileProblem)[]> {
    // Those that read have it from this task, as that waits for them.
    taskHere().priority = URGENT;
    return yield* map(folders, (folder) => this.#readManifest(folder), { name: "manifest" });
  }

  *#readManifest(folder: string): Coroutine<Read | null | FileProblem> {
    try {
      return yield* this.#read(join(folder, "package.json"), (content) => ({
        ...parseManifest(content),
        bytes: content.length,
        lines: countLines(content),
      }));
    } catch (error) {
      if (!(error instanceof FileProblem)) throw error;
      return error.code === "ENOENT" ? null : error;
    }
  }

  /** @throws {FileProblem} when it cannot be read, however often. */
  *#read<T>(path: string, use: (content: Uint8Array) => T): Coroutine<T> {
    try {
      return yield* retry(() => this.#readOnce(path, use), {
        attempts: 5,
        backoff: { initial: "20ms" },
        jitter: "equal",
        shouldRetry: mayPass,
      });
    } catch (error) {
      const last = error instanceof RetryError ? error.cause : error;
      const code = systemCode(last);
      if (code === undefined) throw error;
      throw new FileProblem(path, code, error);
    }
  }

  /**
   * An async function, as all that it awaits are promises; it can be cancelled all the same: where it waits for its turn, and in the
   * read, which hears of it by the signal. It ends when the file is closed.
   */
  async #readOnce<T>(path: string, use: (content: Uint8Array) => T): Promise<T> {
    using _turn = await this.#open.acquire();
    const file = await this.#files.open(path);
    try {
      const weight = Math.ceil((await file.size()) / KILOBYTE);
      // What is larger than all there is, has all of it to itself.
      using _room = await this.#memory.acquire(Math.min(Math.max(weight, 1), this.#memory.total));
      return use(await file.read(taskHere().signal));
    } finally {
      await file.close();
    }
  }
}

function taskHere(): Task<unknown> {
  const task = currentTask();
  if (task === null) throw new Error("Expected to run in a task: there is none that could be cancelled");
  return task;
}
