/** UDP. Replaces asyncio's `loop.create_datagram_endpoint` and its protocol callbacks. */

import { Buffer } from "node:buffer";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { atClose } from "../base/at-close.ts";
import { Deque } from "../base/deque.ts";
import { NEVER } from "../base/duration.ts";
import { isCancelled, RuntimeError, show, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { getRunningLoop } from "../kernel/current.ts";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { ConnectionLostError } from "../streams/transport.ts";
import { until } from "../streams/until.ts";
import { Waiter, Waiters, wakeAll } from "../sync/waiters.ts";
import { hostPort, resolve, type SocketAddress } from "./address.ts";
import { NetworkError } from "./errors.ts";
import { checkBoolean, checkHost, checkOptions, checkPort } from "./options.ts";
import { ready } from "./ready.ts";

/** A host, by name or address, and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What was received, and from whom. */
export interface Datagram {
  readonly data: Buffer;
  readonly address: string;
  readonly port: number;
}

export interface DatagramOptions {
  /** Where to receive; any free port of this machine by default. Port 0: any that is free. */
  readonly local?: HostPort | undefined;
  /** The only one to send to and to receive from: `send(data)` needs no address then. */
  readonly remote?: HostPort | undefined;
  /** How many datagrams are kept until they are received, an integer ≥ 1; 1024 by default. Those that come then are dropped. */
  readonly maxQueue?: number | undefined;
  /** Which one goes when there is no room: the `"newest"`, by default, as the system itself does; or the `"oldest"`. */
  readonly drop?: "newest" | "oldest" | undefined;
  readonly reuseAddr?: boolean | undefined;
  readonly broadcast?: boolean | undefined;
}

const MAX_QUEUE = 1024;

/**
 * Makes an endpoint for UDP.
 *
 * @param options - `local` and `remote` addresses, `maxQueue`, `drop`, see {@link DatagramOptions}.
 * @throws {NetworkError} when it cannot be bound or connected, with Node's code. {TypeError} and {RangeError} for wrong arguments, at once.
 *
 * **Suspends** until it is bound. **Cancel** closes the socket. **Source** replaces `loop.create_datagram_endpoint`.
 *
 * @example
 * ```ts
 * const server = yield* openDatagram({ local: { host: "127.0.0.1", port: 0 } });
 * const client = yield* openDatagram({ remote: { host: "127.0.0.1", port: server.address.port } });
 * yield* client.send("ping");
 * const { data, address, port } = yield* server.receive();
 * yield* server.send(`${data}, pong`, { address, port });
 * (yield* client.receive()).data.toString(); // => "ping, pong"
 * server.close();
 * client.close();
 * ```
 */
export function openDatagram(options?: DatagramOptions): Operation<DatagramEndpoint> {
  const given = checkOptions(options);
  const { local, remote, maxQueue = MAX_QUEUE, drop = "newest", reuseAddr = false, broadcast = false } = given;
  if (local !== undefined) checkPlace(local, "local", 0);
  if (remote !== undefined) checkPlace(remote, "remote", 1);
  if (maxQueue !== NEVER && (!Number.isSafeInteger(maxQueue) || maxQueue < 1)) {
    throw new RangeError(`Expected \`maxQueue\` to be an integer ≥ 1, got ${show(maxQueue)}`);
  }
  if (drop !== "newest" && drop !== "oldest") throw unexpected('`drop` to be "newest" or "oldest"', drop);
  checkBoolean(reuseAddr, "reuseAddr");
  checkBoolean(broadcast, "broadcast");
  return operation(opening(local, remote, maxQueue, drop === "oldest", { reuseAddr, broadcast }), "openDatagram");
}

function* opening(
  local: HostPort | undefined,
  remote: HostPort | undefined,
  maxQueue: number,
  dropOldest: boolean,
  flags: { readonly reuseAddr: boolean; readonly broadcast: boolean },
): Coroutine<DatagramEndpoint> {
  const places = [local && `bind ${hostPort(local.host, local.port)}`, remote && `reach ${hostPort(remote.host, remote.port)}`];
  const what = `${places.filter(Boolean).join(" and ") || "bind a socket"} by UDP`;
  let socket: Socket | null = null;
  let endpoint: DatagramEndpoint | null = null;
  try {
    const from = local && (yield* addressOf(local, 0));
    const to = remote && (yield* addressOf(remote, from === undefined ? 0 : (isIP(from) as 4 | 6)));
    socket = createSocket({ type: isIP(to ?? from ?? "0.0.0.0") === 6 ? "udp6" : "udp4", reuseAddr: flags.reuseAddr });
    const bound = socket;
    yield* socketReady(bound, "listening", () =>
      bound.bind({ port: local?.port ?? 0, ...(from !== undefined && { address: from }) }),
    );
    // Made before it is connected, so that nothing is missed.
    endpoint = new DatagramEndpoint(bound, maxQueue, dropOldest);
    if (to !== undefined && remote !== undefined) {
      yield* socketReady(bound, "connect", () => bound.connect(remote.port, to));
      endpoint._connected();
    }
    if (flags.broadcast) bound.setBroadcast(true);
    return endpoint;
  } catch (error) {
    if (endpoint !== null) endpoint.close();
    else if (socket !== null) closeQuietly(socket);
    throw isCancelled(error) ? error : new NetworkError(what, [error]);
  }
}

/** A host's first address; one of the given family, if there is need. */
function* addressOf({ host }: HostPort, family: 0 | 4 | 6): Coroutine<string> {
  const [first] = yield* resolve(host, family, undefined);
  return (first as { address: string }).address;
}

function closeQuietly(socket: Socket): void {
  socket.on("error", () => {});
  // Node looks even an address up before it binds: then it is not open yet, and is closed once it is.
  try {
    socket.close();
  } catch {
    // It is closed already.
  }
}

/** Waits for an event of a socket, or its error. */
function socketReady(socket: Socket, event: "listening" | "connect", begin: () => void): Operation<void> {
  return ready({ label: `openDatagram (${event})`, emitter: socket, event, begin });
}

/**
 * Sends and receives datagrams. Made by `openDatagram`.
 *
 * What comes while nobody receives is kept, up to `maxQueue`; what is dropped is counted. An error of the system's, such as
 * `ECONNREFUSED` for a datagram that nobody took, is thrown by the next `receive()`; the endpoint goes on.
 */
export class DatagramEndpoint implements WaitSource {
  /** How many datagrams were dropped, since there was no room. */
  dropped = 0;
  readonly #socket: Socket;
  readonly #maxQueue: number;
  readonly #dropOldest: boolean;
  #address: SocketAddress;
  #remote: SocketAddress | null = null;
  readonly #queue = new Deque<Datagram | Error>();
  /** @internal Those that wait for a datagram. */
  readonly _receivers: Waiters = new Waiters();
  /** Those that wait for the end. */
  readonly #closes = new Waiters();
  #closing = false;
  /** @internal The socket is closed. */
  _lost = false;

  /** @internal */
  constructor(socket: Socket, maxQueue: number, dropOldest: boolean) {
    this.#socket = socket;
    this.#maxQueue = maxQueue;
    this.#dropOldest = dropOldest;
    this.#address = asAddress(socket.address());
    socket.on("message", (data, from) => this.#receive({ data, address: from.address, port: from.port } satisfies Datagram));
    socket.on("error", (error) => this.#receive(error));
    // Left open, it would keep a program alive whose `run()` has ended.
    const forget = atClose(getRunningLoop(), () => this.close());
    socket.once("close", () => {
      forget();
      this._lost = true;
      socket.removeAllListeners().on("error", () => {});
      wakeAll(this.#closes);
      wakeAll(this._receivers);
    });
  }

  /** Where it receives. */
  get address(): SocketAddress {
    return this.#address;
  }

  /** The only one that it sends to and receives from; null if there is no such one. */
  get remote(): SocketAddress | null {
    return this.#remote;
  }

  /** How many datagrams were received by the system and not by anybody here. */
  get buffered(): number {
    return this.#queue.length;
  }

  /** @internal */
  _connected(): void {
    this.#remote = asAddress(this.#socket.remoteAddress());
    // The system has chosen where it is reached from there.
    this.#address = asAddress(this.#socket.address());
  }

  #receive(entry: Datagram | Error): void {
    if (this.#closing) return;
    if (this.#queue.length >= this.#maxQueue) {
      this.dropped++;
      if (!this.#dropOldest) return;
      this.#queue.shift();
    }
    this.#queue.push(entry);
    this._receivers.first?._wake();
  }

  /**
   * Sends a datagram.
   *
   * @param data - Bytes, or text as UTF-8; with IPv4 at most 65507 bytes.
   * @param to - Whom to: `{ host, port }`, or the `{ address, port }` that a datagram came from; needed unless there is a `remote`, and refused if there is.
   * @throws {RuntimeError} when it is closed; {TypeError} for wrong arguments, at once; Node's error when the system refuses it, such as
   *   `EMSGSIZE`.
   *
   * **Suspends** until the system has taken it. **Cancel** ends the wait; it is sent all the same.
   * **Source** asyncio/transports.py `DatagramTransport.sendto`.
   */
  send(data: string | Uint8Array, to?: HostPort | Pick<SocketAddress, "address" | "port">): Operation<void> {
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      throw unexpected("bytes (a Uint8Array) or text to send", data);
    }
    const place = typeof to === "object" && to !== null && "address" in to ? { host: to.address, port: to.port } : to;
    if (place !== undefined) checkPlace(place, "to", 1);
    if (this.#remote !== null && to !== undefined) {
      throw new TypeError(`Cannot send to \`to\`: ${this.describe()} sends to its \`remote\` alone; open one without it`);
    }
    if (this.#remote === null && to === undefined) {
      throw new TypeError("Expected `to`, whom to send to: { host, port }; or open the endpoint with `remote`");
    }
    return new Send(this, typeof data === "string" ? Buffer.from(data) : data, place) as unknown as Operation<void>;
  }

  /** @internal */
  _send(data: Uint8Array, to: HostPort | undefined, whenSent: (error: Error | null) => void): void {
    if (this.#closing) throw new RuntimeError(`Cannot send: ${this.describe()} is closed`, "CLOSED");
    if (to === undefined) this.#socket.send(data, whenSent);
    else this.#socket.send(data, to.port, to.host, whenSent);
  }

  /**
   * Receives the next datagram.
   *
   * @throws {ConnectionLostError} when it is closed; an error of the system's that has come in between, once.
   *
   * **Suspends** only if there is none. **Cancel** takes none. **Source** replaces asyncio's `DatagramProtocol.datagram_received`.
   */
  receive(): Operation<Datagram> {
    return new Receive(this) as unknown as Operation<Datagram>;
  }

  /** @internal The next one; undefined if there is none. */
  _take(): Datagram | Error | undefined {
    const entry = this.#queue.shift();
    // Another may wait, and there may be one for it: the wakeup that has brought us here was for one.
    if (this.#queue.length > 0) this._receivers.first?._wake();
    return entry;
  }

  /** @internal */
  get _closed(): boolean {
    return this.#closing || this._lost;
  }

  /** Datagrams, until it is closed: `for await (const { data } of endpoint)`. An error of the system's ends it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, void, undefined> {
    while (!this._closed || this.#queue.length > 0) {
      let datagram: Datagram;
      try {
        datagram = await this.receive();
      } catch (error) {
        if (error instanceof ConnectionLostError) return;
        throw error;
      }
      yield datagram;
    }
  }

  /** Closes it; harmless when repeated. What was received before can still be taken. **Suspends** never. */
  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    closeQuietly(this.#socket);
    wakeAll(this._receivers);
  }

  /** Waits until it is closed. **Suspends** until then. **Cancel** ends the wait. */
  waitClosed(): Operation<void> {
    return until({ of: this, label: "endpoint.waitClosed", line: this.#closes, isSo: () => this._lost, result: () => {} });
  }

  /** At the end of an `await using` block: closes it, and waits until it is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.waitClosed();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  describe(): string {
    const { address, port } = this.#address;
    return `UDP endpoint at ${hostPort(address, port)}`;
  }

  toString(): string {
    return `<DatagramEndpoint ${this._closed ? "closed" : "open"}, ${this.describe()}, ${this.buffered} buffered>`;
  }
}

class Receive extends Waiter<Datagram> {
  declare readonly _endpoint: DatagramEndpoint;

  constructor(endpoint: DatagramEndpoint) {
    super();
    this._endpoint = endpoint;
  }

  override _start(): Step<Datagram> {
    return this._try();
  }

  override _resume(): Step<Datagram> {
    this._endpoint._receivers.leave(this);
    return this._try();
  }

  _try(): Step<Datagram> {
    const endpoint = this._endpoint;
    const entry = endpoint._take();
    if (entry instanceof Error) throw entry;
    if (entry !== undefined) return done(entry);
    if (endpoint._closed) throw new ConnectionLostError(endpoint.describe(), undefined, "receive");
    endpoint._receivers.join(this);
    return this._wait();
  }

  override _abandon(woken: boolean): void {
    this._endpoint._receivers.leave(this);
    // RACE  1. a datagram wakes this one   2. it is cancelled before it runs: the next in line is to have the datagram.
    //       test: "DatagramEndpoint.receive(), cancelled when it was woken, leaves the datagram to the next"
    if (woken && this._endpoint.buffered > 0) this._endpoint._receivers.first?._wake();
  }

  override describe(): string {
    return "endpoint.receive";
  }

  override _waitsFor(): WaitSource {
    return this._endpoint;
  }
}

class Send extends Op<void> {
  declare readonly _endpoint: DatagramEndpoint;
  declare readonly _data: Uint8Array;
  declare readonly _to: HostPort | undefined;
  declare _error: Error | null;

  constructor(endpoint: DatagramEndpoint, data: Uint8Array, to: HostPort | undefined) {
    super();
    this._endpoint = endpoint;
    this._data = data;
    this._to = to;
    this._error = null;
  }

  override _start(): Step<void> {
    this._endpoint._send(this._data, this._to, (error) => {
      this._error = error;
      this._wake();
    });
    return this._wait();
  }

  override _resume(): Step<void> {
    if (this._error !== null) throw this._error;
    return done(undefined);
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return "endpoint.send";
  }
}

function asAddress({ address, port, family }: { address: string; port: number; family: string }): SocketAddress {
  return { address, port, family: family as RemoteInfo["family"] };
}

function checkPlace(place: unknown, name: string, lowest: number): void {
  if (typeof place !== "object" || place === null) throw unexpected(`\`${name}\` to be { host, port }`, place);
  checkHost((place as HostPort).host, `${name}.host`);
  checkPort((place as HostPort).port, lowest, `${name}.port`);
}
