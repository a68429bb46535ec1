/** What the two sides of a stream ask of whatever carries the bytes: a socket, a pipe, or memory. */

import type { Buffer } from "node:buffer";
import type { Operation } from "../kernel/operation.ts";
import type { ByteSource } from "./reader.ts";
import type { TlsOptions } from "./tls-options.ts";

/** Where bytes go. */
export interface Transport extends ByteSource {
  /** Bytes that were written and are still here: the system has not taken them. */
  readonly writeBufferSize: number;
  /** Closed at once, with what was left dropped; whoever has it is about to be told. */
  readonly aborted?: boolean;
  /** Failed, or closed from elsewhere; whoever has it is about to be told. */
  readonly failed?: boolean;
  /** Whether a write may follow. */
  readonly canWrite: boolean;
  /** Takes bytes. `whenTaken` is called once these have gone, if it is given; with an error, when they never will. */
  write(data: Buffer, whenTaken: ((error?: Error | null) => void) | undefined): void;
  /** Sends what is left, and then the end: the other side goes on reading and writing. */
  writeEof(): void;
  /** Sends what is left, and closes both directions. */
  close(): void;
  /** Closes both directions at once; what is left is dropped. */
  abort(): void;
  /** What is known of it by a name such as `peername`; undefined if it is nothing. */
  getExtraInfo(name: string): unknown;
  /** Goes on by TLS; null where there is no such thing. */
  readonly upgrade?: ((options: TlsOptions) => Operation<void>) | null;
}

/** The connection is gone, and bytes that were written may not have arrived. */
export class ConnectionLostError extends Error {
  override name = "ConnectionLostError";
  readonly code = "CONNECTION_LOST";

  constructor(title: string, options?: ErrorOptions, what = "write") {
    super(`Cannot ${what}: ${title} is closed`, options);
  }
}
