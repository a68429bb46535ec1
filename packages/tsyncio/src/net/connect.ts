/** Connecting to a host or a Unix socket. Mirrors asyncio/streams.py `open_connection` and `loop.create_connection`. */

import type { LookupAddress } from "node:dns";
import { connect, isIP, type NetConnectOpts, type Socket } from "node:net";
import { atClose } from "../base/at-close.ts";
import { type Duration, millisecondsOrNever, NEVER } from "../base/duration.ts";
import { isCancelled, show, TimeoutError } from "../base/errors.ts";
import { staggeredRace } from "../flow/staggered-race.ts";
import { timeout } from "../flow/timeout.ts";
import { operation } from "../kernel/coroutine.ts";
import { getRunningLoop } from "../kernel/current.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import type { Streams } from "../streams/memory.ts";
import { NodeTransport } from "../streams/node-transport.ts";
import type { ReaderOptions } from "../streams/reader.ts";
import type { TlsOptions } from "../streams/tls-options.ts";
import { hostPort, interleave, resolve } from "./address.ts";
import { NetworkError } from "./errors.ts";
import {
  checkHost,
  checkOptions,
  checkPath,
  checkPort,
  type Lookup,
  readerOptions,
  type StreamOptions,
  type TcpOptions,
  tcpOptions,
  tlsOptions,
} from "./options.ts";
import { checkName, handshake, makeUpgradable, refuseUpgrade } from "./tls.ts";

export interface ConnectUnixOptions extends StreamOptions {
  /** How long it may take until the connection can be used, lookup and TLS handshake included; no limit by default. */
  readonly timeout?: Duration | undefined;
}

export interface ConnectOptions extends TcpOptions, ConnectUnixOptions {
  /** Where to connect from: one of this machine's addresses. */
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** 4 or 6: only addresses of this family; 0, the default: of both. */
  readonly family?: 0 | 4 | 6 | undefined;
  /**
   * A host with several addresses: after so long without an answer the next one is tried beside it, and the first that answers is taken
   * (RFC 8305). `"250ms"` by default; Infinity: the next one only when one has failed.
   */
  readonly happyEyeballsDelay?: Duration | undefined;
  /** Finds addresses in place of Node's `dns.lookup`, with the same interface. */
  readonly lookup?: Lookup | undefined;
}

const HAPPY_EYEBALLS_DELAY = 250;

/**
 * Connects to a host, and gives a reader and a writer.
 *
 * @param host - A name or an IP address. A name with several addresses: all are tried, as `happyEyeballsDelay` says.
 * @param port - An integer from 1 to 65535.
 * @param options - `tls`, `timeout`, `limit`, `happyEyeballsDelay`, `localAddress`, … see {@link ConnectOptions}.
 * @throws {NetworkError} when the host is not found, no address answers, or the TLS handshake fails, with Node's code, and all that was
 *   tried. {TimeoutError} when it takes too long. {TypeError} and {RangeError} for wrong arguments, at once.
 *
 * **Suspends** until it is connected. **Cancel** gives all attempts up and closes their sockets.
 * **Source** asyncio/streams.py `open_connection`.
 *
 * @example
 * ```ts
 * const server = yield* startServer(({ writer }) => writer.send("welcome\n"), "127.0.0.1", 0);
 * const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
 * (yield* reader.readline()).toString(); // => "welcome\n"
 * writer.close();
 * yield* server.shutdown();
 * ```
 */
export function openConnection(host: string, port: number, options?: ConnectOptions): Operation<Streams> {
  const given = checkOptions(options);
  checkHost(host);
  checkPort(port, 1);
  const { localAddress, localPort, family = 0, lookup } = given;
  if (localAddress !== undefined && isIP(localAddress) === 0) {
    throw new RangeError(`Expected \`localAddress\` to be an IP address of this machine, got ${show(localAddress)}`);
  }
  if (localPort !== undefined) checkPort(localPort, 0, "localPort");
  if (family !== 0 && family !== 4 && family !== 6) throw new RangeError(`Expected \`family\` to be 0, 4 or 6, got ${family}`);
  if (lookup !== undefined && typeof lookup !== "function") throw new TypeError("Expected `lookup` to be a function");
  const delay = millisecondsOrNever(given.happyEyeballsDelay ?? HAPPY_EYEBALLS_DELAY, "happyEyeballsDelay");
  const socket = { ...tcpOptions(given), ...(localAddress && { localAddress }), ...(localPort && { localPort }) };
  const plan: Plan = {
    what: `connect to ${hostPort(host, port)}`,
    host,
    tls: tlsOptions(given),
    reader: readerOptions(given),
    limit: millisecondsOrNever(given.timeout),
  };
  const reach = function* (): Coroutine<NodeTransport> {
    const found = yield* resolve(host, family, lookup);
    return yield* connectToAny(interleave(found), port, delay, socket, plan);
  };
  return operation(connecting(plan, reach), "openConnection");
}

/**
 * As {@link openConnection}, to a Unix socket (on Windows, a named pipe).
 *
 * @param path - Where it is in the file system; with a NUL in front, in Linux' abstract namespace.
 * @throws As openConnection does.
 *
 * **Suspends** until it is connected. **Cancel** gives the attempt up. **Source** asyncio/streams.py `open_unix_connection`.
 */
export function openUnixConnection(path: string, options?: ConnectUnixOptions): Operation<Streams> {
  const given = checkOptions(options);
  checkPath(path);
  const tls = tlsOptions(given);
  if (tls !== null) checkName(tls, undefined);
  const limit = millisecondsOrNever(given.timeout);
  const plan: Plan = { what: `connect to ${path}`, host: undefined, tls, reader: readerOptions(given), limit };
  const reach = function* (): Coroutine<NodeTransport> {
    const transport = yield* attempt({ path }, path, plan);
    transport.extra = { peername: path };
    return transport;
  };
  return operation(connecting(plan, reach), "openUnixConnection");
}

interface Plan {
  readonly what: string;
  /** The name to verify by TLS. */
  readonly host: string | undefined;
  readonly tls: TlsOptions | null;
  readonly reader: ReaderOptions;
  /** In milliseconds. */
  readonly limit: number;
}

function* connecting(plan: Plan, reach: () => Coroutine<NodeTransport>): Coroutine<Streams> {
  let stage = "";
  let transport: NodeTransport | null = null;
  const body = function* (): Coroutine<void> {
    transport = yield* reach();
    makeUpgradable(transport, { host: plan.host });
    if (plan.tls === null) return;
    stage = ", but the TLS handshake was not done";
    yield* handshake(transport, plan.tls, { host: plan.host }, plan.what);
    refuseUpgrade(transport);
  };
  try {
    if (plan.limit === NEVER) yield* body();
    else yield* timeout(plan.limit, body);
  } catch (error) {
    if (error instanceof TimeoutError && error.scope !== undefined) {
      throw new TimeoutError(`Cannot ${plan.what}: no answer within ${plan.limit} ms${stage}`, {
        cause: error,
        scope: error.scope,
      });
    }
    throw error instanceof NetworkError || error instanceof TimeoutError || isCancelled(error)
      ? error
      : new NetworkError(plan.what, [error]);
  }
  const connection = transport as unknown as NodeTransport;
  // Left open, it would keep a program alive whose `run()` has ended.
  connection.whenLost = atClose(getRunningLoop(), () => connection.abort());
  const { reader, writer } = connection;
  return { reader, writer };
}

/** Connects to one of several addresses: each gets a head start, and the first that answers is taken. */
function* connectToAny(
  addresses: readonly LookupAddress[],
  port: number,
  delay: number,
  socket: object,
  plan: Plan,
): Coroutine<NodeTransport> {
  // A custom lookup may give anything.
  const usable = addresses.filter((each) => isIP(each.address) !== 0);
  const attempts = usable.map((each) => {
    const where = { ...socket, host: each.address, port, family: isIP(each.address) };
    return () => attempt(where, hostPort(each.address, port), plan);
  });
  const [only] = attempts;
  if (only === undefined) throw new NetworkError(plan.what, [new Error("the lookup gave no IP address")]);
  if (attempts.length === 1) return yield* only();

  // RACE  1. two attempts are connected in the same turn   2. one of them is the winner: the other's connection is nobody's, and
  //       must be closed. So is the winner's, if this task is cancelled before it gets it.
  //       test: "openConnection(), closes what it has connected besides, when two attempts succeed at once"
  const made: NodeTransport[] = [];
  const noted = attempts.map(
    (each) =>
      function* (): Coroutine<NodeTransport> {
        const transport = yield* each();
        made.push(transport);
        return transport;
      },
  );
  let taken: NodeTransport | undefined;
  try {
    const { value, exceptions } = yield* staggeredRace(noted, delay);
    if (value === undefined) throw new NetworkError(plan.what, exceptions);
    taken = value;
    return value;
  } finally {
    for (const transport of made) if (transport !== taken) transport.abort();
  }
}

function attempt(where: NetConnectOpts, name: string, plan: Plan): Operation<NodeTransport> {
  return new Attempt({ ...where, allowHalfOpen: true, autoSelectFamily: false } as NetConnectOpts, name, plan.reader) as never;
}

class Attempt extends Op<NodeTransport> {
  declare readonly _where: NetConnectOpts;
  declare readonly _name: string;
  declare readonly _options: ReaderOptions;
  declare _socket: Socket | null;
  declare _transport: NodeTransport | null;
  declare _error: Error | null;

  constructor(where: NetConnectOpts, name: string, options: ReaderOptions) {
    super();
    this._where = where;
    this._name = name;
    this._options = options;
    this._socket = null;
    this._transport = null;
    this._error = null;
  }

  override _start(): Step<NodeTransport> {
    const socket = connect(this._where);
    this._socket = socket;
    socket.once("connect", () => {
      socket.removeAllListeners("error");
      // At once, so that nothing it says from now on is missed.
      this._transport = new NodeTransport(socket, `connection to ${this._name}`, this._options);
      const { localAddress: address, localPort, localFamily: family } = socket;
      // Once it is closed, nobody can tell any more.
      if (address !== undefined) this._transport.extra = { sockname: { address, port: localPort, family } };
      this._wake();
    });
    socket.once("error", (error) => {
      this._error = error;
      this._wake();
    });
    return this._wait();
  }

  override _resume(): Step<NodeTransport> {
    if (this._error !== null) throw this._error;
    return done(this._transport as NodeTransport);
  }

  override _abandon(): void {
    this._socket?.removeAllListeners("connect").on("error", () => {});
    this._socket?.destroy();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return `connection to ${this._name}`;
  }
}
