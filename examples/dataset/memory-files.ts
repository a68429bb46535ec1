// For the tests: a file system in memory, which takes its (virtual) time, fails where it is told to, and counts what is open.

import { getRunningLoop } from "tsyncio";
import type { Entry, Files, OpenFile } from "./files.ts";

export class MemoryFiles implements Files {
  /** Paths in the order in which they were opened. */
  readonly opened: string[] = [];
  openNow = 0;
  mostOpen = 0;
  /** Bytes of the files that are being read. */
  held = 0;
  /** The most of them, when there was more than one. */
  mostHeldTogether = 0;
  #reading = 0;
  readonly #tree: ReadonlyMap<string, string>;
  readonly #faults = new Map<string, { code: string; times: number }>();

  constructor(tree: ReadonlyMap<string, string>) {
    this.#tree = new Map([...tree].map(([path, content]) => [`/${path}`, content]));
  }

  /** Makes an operation fail, so many times. */
  fail(what: "list" | "open" | "read", path: string, code: string, times: number = Number.POSITIVE_INFINITY): this {
    this.#faults.set(`${what} ${path}`, { code, times });
    return this;
  }

  async list(folder: string): Promise<Entry[]> {
    await later(1);
    this.#mayFail("list", folder);
    const start = folder === "/" ? "/" : `${folder}/`;
    const entries = new Map<string, Entry>();
    for (const path of this.#tree.keys()) {
      if (!path.startsWith(start)) continue;
      const [name = "", ...rest] = path.slice(start.length).split("/");
      entries.set(name, { name, isFile: rest.length === 0, isFolder: rest.length > 0 });
    }
    return [...entries.values()];
  }

  async open(path: string): Promise<OpenFile> {
    this.opened.push(path);
    await later(1);
    this.#mayFail("open", path);
    const content = this.#tree.get(path);
    if (content === undefined) throw systemError("ENOENT", path);
    const bytes = new TextEncoder().encode(content);
    this.openNow++;
    this.mostOpen = Math.max(this.mostOpen, this.openNow);
    return {
      size: async () => bytes.length,
      read: async (signal) => {
        this.#begin(bytes.length);
        try {
          await later(1 + Math.floor(bytes.length / 400), signal);
          this.#mayFail("read", path);
          return bytes;
        } finally {
          this.#reading--;
          this.held -= bytes.length;
        }
      },
      close: async () => {
        await later(1);
        this.openNow--;
      },
    };
  }

  #begin(bytes: number): void {
    this.#reading++;
    this.held += bytes;
    if (this.#reading > 1) this.mostHeldTogether = Math.max(this.mostHeldTogether, this.held);
  }

  #mayFail(what: string, path: string): void {
    const fault = this.#faults.get(`${what} ${path}`);
    if (fault === undefined || fault.times-- <= 0) return;
    throw fault.code === "BUG" ? new TypeError("a mistake") : systemError(fault.code, path);
  }
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code, errno: -1, syscall: "open", path });
}

/** A promise as those of Node: no cancellation reaches it, but a signal may. */
function later(delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      timer.cancel();
      reject(Object.assign(new Error("The operation was aborted"), { name: "AbortError", code: "ABORT_ERR" }));
    };
    const timer = getRunningLoop().callLater(delay, () => {
      // Who still listens is taken for one who ends by it.
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
