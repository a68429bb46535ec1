/** Carries the bytes of a stream by a socket or a pipe of Node. */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { RuntimeError } from "../base/errors.ts";
import type { Operation } from "../kernel/operation.ts";
import { type ReaderOptions, StreamReader } from "./reader.ts";
import type { TlsOptions } from "./tls-options.ts";
import type { Transport } from "./transport.ts";
import { StreamWriter } from "./writer.ts";

/**
 * A socket with a reader and a writer.
 *
 * From now on all of its bytes and errors go there, and it is half-open where it was made so: the end of one direction leaves the other.
 */
export class NodeTransport implements Transport {
  readonly reader: StreamReader;
  readonly writer: StreamWriter;
  /** The socket is closed, and the two sides were told. */
  whenLost: ((error: Error | null) => void) | null = null;
  /** Goes on by TLS; null where that is not possible. */
  upgrade: ((options: TlsOptions) => Operation<void>) | null = null;
  /** What `getExtraInfo` tells besides, or instead. */
  extra: Readonly<Record<string, unknown>> | null = null;
  #socket: Socket;
  #title: string;
  #error: Error | null = null;
  #ended = false;
  #closing = false;
  /** Told to end: once all has gone, Node destroys the socket. */
  #ending = false;
  /** The socket is in the hands of a TLS handshake. */
  #released = false;
  readonly #onData: (data: Buffer) => void;
  readonly #onEnd: () => void;
  readonly #onError: (error: Error) => void;
  readonly #onClose: () => void;

  constructor(socket: Socket, title: string, options?: ReaderOptions) {
    this.reader = new StreamReader(options);
    this.writer = new StreamWriter(this, this.reader);
    this.reader.setSource(this);
    this.#socket = socket;
    this.#title = title;
    this.#onData = (data) => {
      if (!this.#closing) this.reader._feed(data);
    };
    this.#onEnd = () => this.#endReading();
    this.#onError = (error) => {
      this.#error ??= error;
    };
    this.#onClose = () => this.#lose();
    this.#listen();
  }

  get socket(): Socket {
    return this.#socket;
  }

  get writeBufferSize(): number {
    return this.#socket.writableLength;
  }

  get aborted(): boolean {
    return this.#socket.destroyed;
  }

  get failed(): boolean {
    const { errored, destroyed } = this.#socket;
    return errored !== null || (destroyed && !this.#ending);
  }

  get canWrite(): boolean {
    return this.#socket.writable;
  }

  write(data: Buffer, whenTaken: ((error?: Error | null) => void) | undefined): void {
    this.#checkHeld();
    // Closed from elsewhere, as by a server that ends: as with what was lost on the way, `drain()` tells it.
    if (!this.#closing) this.#socket.write(data, whenTaken);
  }

  writeEof(): void {
    this.#checkHeld();
    this.#ending = true;
    this.#socket.end();
  }

  #checkHeld(): void {
    if (this.#released) throw new RuntimeError(`Cannot write to ${this.#title}: a TLS handshake is under way`, "TLS_HANDSHAKE");
  }

  close(): void {
    this.#closing = this.#ending = true;
    if (this.#released) {
      this.#socket.destroy();
      return;
    }
    // Ends the writing, and closes when all was sent. What comes in meanwhile is nobody's; left unread, it would make the system reset
    // the connection, and the other side could lose what was sent.
    this.#socket.destroySoon();
    this.#socket.resume();
  }

  abort(): void {
    this.#socket.destroy();
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  describe(): string {
    return this.#title;
  }

  getExtraInfo(name: string): unknown {
    return this.extra?.[name] ?? infoOf(this.#socket, name);
  }

  /** Gives the socket up, for one that is wrapped around it and comes by `adopt()`. Till then, nothing is read or written. */
  release(): Socket {
    this.#forget();
    // Whoever has it now listens to the outer one.
    this.#socket.on("error", ignore);
    this.#released = true;
    return this.#socket;
  }

  /** Goes on with a socket. */
  adopt(socket: Socket, title: string): void {
    this.#released = false;
    this.#socket = socket;
    this.#title = title;
    this.#listen();
  }

  /** The socket that was given up is gone, and none comes in its place. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#lose();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
  }

  #forget(): void {
    const socket = this.#socket;
    socket.off("data", this.#onData);
    socket.off("end", this.#onEnd);
    socket.off("error", this.#onError);
    socket.off("close", this.#onClose);
  }

  #endReading(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.reader.feedEof();
  }

  #lose(): void {
    const socket = this.#socket;
    this.#forget();
    // An error that comes later than that concerns nobody.
    socket.on("error", ignore);
    if (this.#error === null) this.#endReading();
    else this.reader.setException(this.#error);
    this.writer._connectionLost(this.#error);
    this.whenLost?.(this.#error);
  }
}

function ignore(): void {}

function infoOf(socket: Socket, name: string): unknown {
  const tls = socket as Partial<TLSSocket>;
  switch (name) {
    case "socket":
      return socket;
    case "peername":
      return addressOf(socket.remoteAddress, socket.remotePort, socket.remoteFamily);
    case "sockname":
      return addressOf(socket.localAddress, socket.localPort, socket.localFamily);
    case "peercert":
      return tls.getPeerCertificate?.();
    case "cipher":
      return tls.getCipher?.();
    case "protocol":
      return tls.getProtocol?.() ?? undefined;
    case "alpn":
      return tls.alpnProtocol || undefined;
    default:
      return undefined;
  }
}

function addressOf(address: string | undefined, port: number | undefined, family: string | undefined): object | undefined {
  return address === undefined ? undefined : { address, port, family };
}
