/** What a child writes, on its way to a reader. */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { type ByteSource, StreamReader } from "../streams/reader.ts";

/** After the exit, so much is taken in although nobody reads; the system's own buffers hold less. */
const FLUSHED: number = 2 ** 20;

/** A pipe from a child. It is closed when all that hold its other end have closed it: the child, and who has inherited it. */
export class OutputPipe implements ByteSource {
  readonly reader: StreamReader;
  /** Told when bytes have come. */
  whenFed: (() => void) | null = null;
  closed = false;
  readonly #socket: Socket;
  readonly #title: string;
  readonly #whenClosed: () => void;
  /** The reader has enough. */
  #paused = false;
  #collecting = false;
  /** How much is taken in all the same. */
  #spare = 0;

  constructor(socket: Socket, title: string, limit: number | undefined, whenClosed: () => void) {
    this.reader = new StreamReader({ limit });
    this.reader.setSource(this);
    this.#socket = socket;
    this.#title = title;
    this.#whenClosed = whenClosed;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  describe(): string {
    return this.#title;
  }

  pauseReading(): void {
    this.#paused = true;
    this.#settle();
  }

  resumeReading(): void {
    this.#paused = false;
    this.#settle();
  }

  /** While it is on, all is taken in, however much that is. */
  collect(on: boolean): void {
    this.#collecting = on;
    this.#settle();
  }

  /** The child has exited: what it left in the system is taken in, so that the descriptor is closed even if nobody reads. */
  flush(): void {
    this.#spare = FLUSHED;
    this.#settle();
  }

  /** Lets go of it; what comes from now on is lost to whoever writes it. */
  release(): void {
    this.#socket.destroy();
  }

  #settle(): void {
    if (this.#paused && !this.#collecting && this.#spare <= 0) this.#socket.pause();
    else this.#socket.resume();
  }

  readonly #onData = (data: Buffer): void => {
    if (this.#paused) this.#spare -= data.length;
    this.reader.feedData(data);
    this.whenFed?.();
    // Node lets the output of a child flow when that has exited, whoever has paused it.
    if (this.#paused) this.#settle();
  };

  readonly #onEnd = (): void => {
    this.reader.feedEof();
  };

  readonly #onError = (error: Error): void => {
    this.reader.setException(error);
  };

  readonly #onClose = (): void => {
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("close", this.#onClose);
    this.closed = true;
    this.reader.feedEof();
    this.#whenClosed();
  };
}
