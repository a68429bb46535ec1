// What the program wants of a file system: little enough for the tests to make one of their own.

import { constants } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";

export interface Entry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isFolder: boolean;
}

export interface OpenFile {
  /** In bytes. */
  size(): Promise<number>;
  /** All of it; gives up when the signal is aborted. */
  read(signal: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface Files {
  list(folder: string): Promise<readonly Entry[]>;
  open(path: string): Promise<OpenFile>;
}

/** Those of this machine. */
export const diskFiles: Files = {
  async list(folder) {
    const entries = await readdir(folder, { withFileTypes: true });
    // A symbolic link is neither: so nothing is counted twice, and no folder leads back into itself.
    return entries.map((entry) => ({ name: entry.name, isFile: entry.isFile(), isFolder: entry.isDirectory() }));
  },
  async open(path) {
    return new DiskFile(await open(path, READ));
  },
};

/** Nor are symbolic links followed here, where the system can tell (Windows cannot): those fail with ELOOP. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

class DiskFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  read(signal: AbortSignal): Promise<Uint8Array> {
    return this.#handle.readFile({ signal });
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** What keeps a file or folder from being read, when trying again has not helped. */
export class FileProblem extends Error {
  override readonly name = "FileProblem";
  readonly path: string;
  /** As the system calls it: `"EACCES"`, `"ENOENT"`, … */
  readonly code: string;

  constructor(path: string, code: string, cause: unknown) {
    super(`Cannot read ${path}: ${code}`, { cause });
    this.path = path;
    this.code = code;
  }
}

/** The code of an error of the system; undefined for any other error, a mistake in the program for instance. */
export function systemCode(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  return typeof code === "string" && typeof errno === "number" ? code : undefined;
}

/** Troubles that pass by themselves: too much is open, or somebody else is at it. */
export function mayPass(error: unknown): boolean {
  return ["EMFILE", "ENFILE", "EAGAIN", "EBUSY", "EINTR"].includes(systemCode(error) ?? "");
}
