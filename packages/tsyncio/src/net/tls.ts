/** TLS over a connection that is there: the handshake of either side, and STARTTLS. */

import { Buffer } from "node:buffer";
import { isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect, createServer, type TlsOptions as NodeServerOptions, type TLSSocket } from "node:tls";
import { RuntimeError, TimeoutError } from "../base/errors.ts";
import { timeout } from "../flow/timeout.ts";
import { operation } from "../kernel/coroutine.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { NodeTransport } from "../streams/node-transport.ts";
import type { TlsOptions } from "../streams/tls-options.ts";
import { ConnectionLostError } from "../streams/transport.ts";
import { NetworkError } from "./errors.ts";
import { handshakeTimeout } from "./options.ts";

/** Which side of the handshake it is; a client knows whom it has connected to. */
export type Side = { readonly host: string | undefined } | "server";

/** Lets a connection go on by TLS when its writer's `startTls` is called. */
export function makeUpgradable(transport: NodeTransport, side: Side): void {
  transport.upgrade = (options) => {
    if (side !== "server") checkName(options, side.host);
    handshakeTimeout(options);
    return operation(upgrading(transport, options, side), "writer.startTls");
  };
}

/** A connection that has gone on by TLS does so once. */
export function refuseUpgrade(transport: NodeTransport): void {
  transport.upgrade = () => {
    throw new RuntimeError(`Cannot start TLS on ${transport.describe()}: it uses TLS already`, "NO_TLS");
  };
}

/** Without a name to verify, the certificate could be anybody's. */
export function checkName(tls: TlsOptions, host: string | undefined): void {
  if (tls.servername === undefined && host === undefined && tls.rejectUnauthorized !== false) {
    throw new TypeError("Expected `servername` for TLS over a Unix socket: the name that the certificate is to be for");
  }
}

function* upgrading(transport: NodeTransport, options: TlsOptions, side: Side): Coroutine<void> {
  const { reader, writer } = transport;
  const title = transport.describe();
  const refuse = (why: string, code: string): never => {
    throw new RuntimeError(`Cannot start TLS on ${title}: ${why}`, code);
  };
  if (writer.isClosing() || !transport.canWrite) refuse("it is closed", "CLOSED");
  if (reader._reader !== null) refuse("a task reads from it; let that end before", "READER_BUSY");
  if (reader._error !== null) throw reader._error;
  if (reader.atEof()) refuse("the other side has ended it", "CLOSED");
  if (reader.buffered > 0) {
    refuse(
      `${reader.buffered} bytes were received in the clear and have not been read; read all that belongs to the plain protocol, and close the connection if there is more`,
      "PLAINTEXT_BEFORE_TLS",
    );
  }
  // From here on, what comes in stays with the socket, which hands it to TLS.
  transport.pauseReading();
  try {
    if (transport.writeBufferSize > 0) yield* new Flush(transport) as unknown as Operation<void>;
  } catch (error) {
    transport.resumeReading();
    throw error;
  }
  yield* handshake(transport, options, side, `start TLS on ${title}`);
  refuseUpgrade(transport);
}

/** Waits until all that was written has gone. */
class Flush extends Op<void> {
  declare readonly _transport: NodeTransport;
  declare _error: Error | null;

  constructor(transport: NodeTransport) {
    super();
    this._transport = transport;
    this._error = null;
  }

  override _start(): Step<void> {
    this._transport.write(Buffer.alloc(0), (error) => {
      this._error = error ?? null;
      this._wake();
    });
    return this._wait();
  }

  override _resume(): Step<void> {
    if (this._error === null) return done(undefined);
    throw new ConnectionLostError(this._transport.describe(), { cause: this._error });
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return "writer.startTls (what was written before)";
  }
}

/** Does the handshake; if that does not end well, however it ends, the connection is gone. */
export function* handshake(transport: NodeTransport, tls: TlsOptions, side: Side, what: string): Coroutine<void> {
  const limit = handshakeTimeout(tls);
  const shake = new Handshake(transport, tls, side);
  try {
    yield* timeout(limit, function* () {
      yield* shake as unknown as Operation<void>;
    });
  } catch (error) {
    if (error instanceof TimeoutError) {
      throw new TimeoutError(`Cannot ${what}: the TLS handshake was not done within ${limit} ms`, { cause: error });
    }
    throw shake._error === error ? new NetworkError(what, [error]) : error;
  }
}

class Handshake extends Op<void> {
  declare readonly _transport: NodeTransport;
  declare readonly _tls: TlsOptions;
  declare readonly _side: Side;
  /** What TLS is spoken by, from when that is known. */
  declare _secure: TLSSocket | null;
  declare _plain: Socket | null;
  declare _error: Error | null;
  declare _forget: () => void;

  constructor(transport: NodeTransport, tls: TlsOptions, side: Side) {
    super();
    this._transport = transport;
    this._tls = tls;
    this._side = side;
    this._secure = null;
    this._plain = null;
    this._error = null;
    this._forget = () => {};
  }

  override _start(): Step<void> {
    const step = this._wait();
    const title = this._transport.describe();
    const plain = this._transport.release();
    this._plain = plain;
    const succeed = (secure: TLSSocket): void => {
      this._forget();
      this._plain = null;
      secure.allowHalfOpen = true;
      // At once, so that nothing it says from now on is missed.
      this._transport.adopt(secure, `TLS ${title}`);
      this._wake();
    };
    const fail = (error: Error): void => {
      this._error = error;
      this._drop(error);
      this._wake();
    };
    const gone = (): void =>
      fail(Object.assign(new Error("the connection was closed in the handshake"), { code: "ECONNRESET" }));
    plain.once("close", gone);
    try {
      const stop = this._side === "server" ? this._serve(plain, succeed, fail) : this._connect(plain, succeed, fail);
      this._forget = () => {
        stop();
        plain.off("close", gone);
        this._forget = () => {};
      };
    } catch (error) {
      // Options that Node refuses: a key that is none, say.
      plain.off("close", gone);
      fail(error as Error);
    }
    return step;
  }

  _connect(plain: Socket, succeed: (secure: TLSSocket) => void, fail: (error: Error) => void): () => void {
    const { host } = this._side as { host: string | undefined };
    const { servername = host !== undefined && isIP(host) === 0 ? host : undefined, ...options } = this._tls;
    // Without a host, Node verifies for "localhost".
    const name = { host: host ?? servername, servername };
    const secure = connect({ ...options, ...withoutUndefined(name), socket: plain } as ConnectionOptions);
    this._secure = secure;
    const onSecure = (): void => succeed(secure);
    secure.once("secureConnect", onSecure);
    secure.once("error", fail);
    return () => {
      secure.off("secureConnect", onSecure);
      secure.off("error", fail);
    };
  }

  _serve(plain: Socket, succeed: (secure: TLSSocket) => void, fail: (error: Error) => void): () => void {
    // Node's way to speak TLS as a server on a connection that is there: a server that does not listen, for this one alone.
    const { handshakeTimeout: _, ...options } = this._tls;
    const server = createServer(options as NodeServerOptions);
    server.once("secureConnection", succeed);
    server.on("tlsClientError", fail);
    // As where it listens: a client that gives up in the middle is not to be kept.
    plain.allowHalfOpen = false;
    server.emit("connection", plain);
    return () => {
      server.off("secureConnection", succeed);
      server.off("tlsClientError", fail);
      server.on("tlsClientError", () => {});
    };
  }

  /** The connection is of no use any more: its two sides are told. */
  _drop(error: Error): void {
    this._forget();
    const { _plain: plain, _secure: secure } = this;
    if (plain === null) return;
    this._plain = null;
    secure?.on("error", () => {});
    secure?.destroy();
    plain.destroy();
    this._transport.fail(error);
  }

  override _resume(): Step<void> {
    if (this._error !== null) throw this._error;
    return done(undefined);
  }

  override _abandon(): void {
    if (this._plain === null) this._transport.abort();
    else this._drop(new Error("the TLS handshake was given up"));
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return "TLS handshake";
  }
}

function withoutUndefined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
