/** The file of a Unix socket: taking the place of one that a dead server has left, and cleaning up, as asyncio 3.13 does. */

import { randomBytes } from "node:crypto";
import { lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";

/** A path that is to be a socket's. */
export interface PathClaim {
  /** Where to listen. */
  readonly temporary: string;
  /** Moves the socket to its place; returns how to remove it from there, if it is still the same. */
  publish(): () => void;
}

/** Whether a path names a file: on Linux there are sockets without one, on Windows all are. */
export function needsFile(path: string): boolean {
  return !path.startsWith("\0") && process.platform !== "win32";
}

/**
 * Makes sure that a path is free, or has a socket that nobody listens at.
 *
 * The socket is made beside it and moved there: so it takes the place of an old one in one step. And since Node removes the file that
 * it was made as, without looking whether that is still its own, it finds nothing to remove.
 */
export function* claimPath(path: string): Coroutine<PathClaim> {
  const found = statOf(path);
  if (found !== null && (!found.isSocket() || (yield* new Probe(path) as unknown as Operation<boolean>))) {
    const why = found.isSocket() ? "somebody listens there" : "a file that is no socket is there";
    throw Object.assign(new Error(`listen EADDRINUSE: ${why}: ${path}`), { code: "EADDRINUSE", syscall: "listen" });
  }
  const temporary = join(dirname(path), `.${randomBytes(3).toString("hex")}`);
  const publish = (): (() => void) => {
    try {
      renameSync(temporary, path);
    } catch (error) {
      unlinkSync(temporary);
      throw error;
    }
    const inode = statOf(path)?.ino;
    return () => {
      if (statOf(path)?.ino === inode) unlinkSync(path);
    };
  };
  return { temporary, publish };
}

function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Whether somebody listens at a socket. */
class Probe extends Op<boolean> {
  declare readonly _path: string;
  declare _alive: boolean;
  declare _end: () => void;

  constructor(path: string) {
    super();
    this._path = path;
    this._alive = false;
    this._end = () => {};
  }

  override _start(): Step<boolean> {
    const socket = connect({ path: this._path });
    this._end = () => socket.destroy();
    socket.on("connect", () => {
      this._alive = true;
      this._wake();
    });
    socket.on("error", (error: Error & { code?: string }) => {
      // Anything else, a full backlog or a lack of rights, is a sign of life.
      this._alive = error.code !== "ECONNREFUSED" && error.code !== "ENOENT";
      this._wake();
    });
    return this._wait();
  }

  override _resume(): Step<boolean> {
    this._end();
    return done(this._alive);
  }

  override _abandon(): void {
    this._end();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return `startUnixServer (is somebody at ${this._path}?)`;
  }
}
