/** Two connected streams in memory, with the interface of those over sockets: for tests, and between tasks. */

import type { Buffer } from "node:buffer";
import { getRunningLoop } from "../kernel/current.ts";
import type { EventLoop } from "../kernel/loop.ts";
import { ByteQueue } from "./byte-queue.ts";
import { type ReaderOptions, StreamReader } from "./reader.ts";
import type { Transport } from "./transport.ts";
import { StreamWriter } from "./writer.ts";

/** The two sides of a connection, as one end has them. */
export interface Streams {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
}

/**
 * Makes two connected ends in memory: what one writes, the other reads, a turn later.
 *
 * @param options - As for StreamReader, for both.
 * @throws {RuntimeError} outside of a loop.
 *
 * **Suspends** never.
 *
 * @example
 * ```ts
 * const [client, server] = streamPair();
 * client.writer.write("ping");
 * (yield* server.reader.readexactly(4)).toString(); // => "ping"
 * ```
 */
export function streamPair(options?: ReaderOptions): [Streams, Streams] {
  const loop = getRunningLoop();
  const a = new MemoryEnd(loop, "memory stream a", options);
  const b = new MemoryEnd(loop, "memory stream b", options);
  a.peer = b;
  b.peer = a;
  return [a, b];
}

/** How much is handed over before the reader is asked whether that will do. */
const PORTION = 2 ** 14;

class MemoryEnd implements Transport, Streams {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  peer: MemoryEnd = this;
  readonly #loop: EventLoop;
  readonly #title: string;
  /** What the peer has not been given. */
  readonly #outgoing = new ByteQueue();
  /** Told how much is left, until nothing is. */
  #whenTaken: (() => void) | undefined;
  #scheduled = false;
  /** The peer has enough for now. */
  #heldBack = false;
  #ending = false;
  #ended = false;
  #closing = false;

  constructor(loop: EventLoop, title: string, options: ReaderOptions | undefined) {
    this.#loop = loop;
    this.#title = title;
    this.reader = new StreamReader(options);
    this.writer = new StreamWriter(this, this.reader);
    this.reader.setSource(this);
  }

  get writeBufferSize(): number {
    return this.#outgoing.length;
  }

  get canWrite(): boolean {
    return !this.#ending;
  }

  write(data: Buffer, whenTaken: (() => void) | undefined): void {
    this.#outgoing.push(data);
    this.#whenTaken ??= whenTaken;
    this.#schedule();
  }

  writeEof(): void {
    this.#ending = true;
    this.#schedule();
  }

  close(): void {
    this.#closing = true;
    this.writeEof();
  }

  abort(): void {
    this.#outgoing.take(this.#outgoing.length);
    this.#lose(null);
    if (!this.#ended) this.peer.#lose(broken("ECONNRESET", `${this.peer.#title} was reset by the other side`));
    this.#ended = true;
  }

  pauseReading(): void {
    this.peer.#heldBack = true;
  }

  resumeReading(): void {
    this.peer.#heldBack = false;
    this.peer.#schedule();
  }

  getExtraInfo(_name: string): unknown {
    return undefined;
  }

  describe(): string {
    return this.#title;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#loop.callSoon(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    const { reader, writer } = this.peer;
    if (writer._lost && this.#outgoing.length > 0) {
      // As on a socket: who writes to an end that is closed is told so.
      this.#outgoing.take(this.#outgoing.length);
      this.#lose(broken("EPIPE", `${this.peer.#title} is closed`));
      return;
    }
    while (this.#outgoing.length > 0 && !this.#heldBack) reader.feedData(this.#outgoing.take(PORTION));
    this.#whenTaken?.();
    if (this.#outgoing.length > 0) return;
    this.#whenTaken = undefined;
    if (this.#ending && !this.#ended && !writer._lost) reader.feedEof();
    this.#ended = this.#ending;
    if (this.#closing) this.#lose(null);
  }

  #lose(error: Error | null): void {
    if (this.writer._lost) return;
    if (error !== null) this.reader.setException(error);
    else if (!this.reader._ended) this.reader.feedEof();
    this.writer._connectionLost(error);
    this.peer.#schedule();
  }
}

function broken(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
