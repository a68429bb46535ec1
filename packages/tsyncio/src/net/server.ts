/** What listens, and whom it serves. Mirrors asyncio/base_events.py `Server`. */

import type { AddressInfo, Server as NodeServer, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { atClose } from "../base/at-close.ts";
import { type Duration, milliseconds } from "../base/duration.ts";
import { RuntimeError } from "../base/errors.ts";
import { moveOnAfter } from "../flow/timeout.ts";
import { captureContext } from "../kernel/context.ts";
import { operation } from "../kernel/coroutine.ts";
import type { Body } from "../kernel/job.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import type { Task } from "../kernel/task.ts";
import type { Streams } from "../streams/memory.ts";
import type { ReaderOptions } from "../streams/reader.ts";
import { until } from "../streams/until.ts";
import { Waiters, wakeAll } from "../sync/waiters.ts";
import type { SocketAddress } from "./address.ts";
import { Client } from "./client.ts";
import { listen } from "./listen.ts";

/** Serves one connection; what it returns does not matter. When it ends, however it ends, the connection is closed. */
export type ClientHandler = Body<[streams: Streams], unknown>;

export interface ShutdownOptions {
  /** How long the handlers may go on; `"5s"` by default, Infinity: as long as they like. Then they are cancelled. */
  readonly grace?: Duration | undefined;
  /** How long what they have written may take to be sent, once they have ended; `"1s"` by default. Then it is dropped. */
  readonly linger?: Duration | undefined;
}

/** What a server is made with. */
export interface ServerPlan {
  readonly handler: ClientHandler;
  readonly reader: ReaderOptions;
  readonly tls: boolean;
  readonly maxConnections: number;
  readonly whenFull: "wait" | "refuse";
}

const GRACE = 5000;
const LINGER = 1000;

/**
 * Listens, and runs a handler for each connection, as a task of its own. Made by `startServer` and `startUnixServer`.
 *
 * It ends with `shutdown()`, or at the end of an `await using` block, which does the same.
 *
 * **Source** asyncio/base_events.py `Server`.
 *
 * @example
 * ```ts
 * const server = yield* startServer(
 *   function* ({ reader, writer }) {
 *     for (;;) {
 *       const line = yield* reader.readline();
 *       if (line.length === 0) break;
 *       yield* writer.send(line);
 *     }
 *   },
 *   "127.0.0.1",
 *   0,
 * );
 * const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
 * yield* writer.send("echo\n");
 * (yield* reader.readline()).toString(); // => "echo\n"
 * yield* server.shutdown({ grace: 0 });
 * server.isServing(); // => false
 * ```
 */
export class Server implements WaitSource {
  readonly #loop: EventLoop;
  readonly #plan: ServerPlan;
  readonly #values: ReturnType<typeof captureContext> = captureContext();
  readonly #listening = new Set<NodeServer>();
  /** Those that Node has not told the end of: it does so when the last of their connections is gone. */
  readonly #open = new Set<NodeServer>();
  readonly #sockets: SocketAddress[] = [];
  readonly #clients = new Set<Client>();
  /** Connections for which there is no room yet, and how each is served. */
  readonly #line = new Map<Socket, () => void>();
  /** Under TLS, what it is spoken over. */
  readonly #plain = new Set<Socket>();
  readonly #closes = new Waiters();
  readonly #forget: () => void;
  #closed = false;
  #serving = false;
  /** What could not be accepted was reported, and nothing has been accepted since. */
  #troubled = false;
  /** @internal Called when it stops listening. */
  _onClose: (() => void) | null = null;

  /** @internal */
  constructor(loop: EventLoop, plan: ServerPlan) {
    this.#loop = loop;
    this.#plan = plan;
    // Left open, it would keep a program alive whose `run()` has ended.
    this.#forget = atClose(loop, () => {
      this.close();
      this.abortClients();
    });
  }

  /** Where it listens; empty once it is closed. */
  get sockets(): readonly SocketAddress[] {
    return this.#closed ? [] : this.#sockets;
  }

  /** The port that it listens at, or has listened at; of several sockets, that of the first. */
  get port(): number {
    return this.#sockets[0]?.port ?? 0;
  }

  /** How many connections are open: those that are served, and those that wait for it. */
  get connections(): number {
    return this.#clients.size + this.#line.size;
  }

  /** Whether it accepts connections. **Suspends** never. **Source** `Server.is_serving`. */
  isServing(): boolean {
    return !this.#closed;
  }

  /** The loop that the handlers run in. **Suspends** never. **Source** `Server.get_loop`. */
  getLoop(): EventLoop {
    return this.#loop;
  }

  /**
   * Serves until the task is cancelled, or `close()` is called; then stops listening, and waits until the last connection is gone.
   *
   * @throws {RuntimeError} when it is closed already, or somebody else waits here.
   *
   * **Suspends** until then. **Cancel** closes it, and goes on when the connections are gone; a second one does so at once.
   * **Source** `Server.serve_forever`, which throws a CancelledError when `close()` is called.
   */
  serveForever(): Operation<void> {
    return operation(this.#serveForever(), "server.serveForever");
  }

  *#serveForever(): Coroutine<void> {
    if (this.#closed) throw new RuntimeError(`Cannot serve: ${this.describe()} is closed`, "SERVER_CLOSED");
    if (this.#serving) throw new RuntimeError(`Cannot serve: somebody else awaits serveForever() already`, "SERVING");
    this.#serving = true;
    try {
      yield* this.waitClosed();
    } finally {
      this.#serving = false;
      if (!this.#closed || !this.#gone()) {
        this.close();
        yield* this.waitClosed();
      }
    }
  }

  /**
   * Stops listening; harmless when repeated. Connections that are served stay as they are, those that wait for room are closed.
   *
   * **Suspends** never. **Source** `Server.close`.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const server of this.#listening) server.close();
    this.#listening.clear();
    for (const socket of this.#line.keys()) socket.destroy();
    this._onClose?.();
    this.#look();
  }

  /** Closes all connections, once what was written is sent. **Suspends** never. **Source** `Server.close_clients`. */
  closeClients(): void {
    for (const client of this.#clients) client.transport.close();
  }

  /** Closes all connections at once; what has not been sent is dropped. **Suspends** never. **Source** `Server.abort_clients`. */
  abortClients(): void {
    for (const client of this.#clients) client.transport.abort();
    for (const socket of [...this.#line.keys(), ...this.#plain]) socket.destroy();
  }

  /**
   * Waits until it is closed, all handlers have ended, and all connections are gone.
   *
   * **Suspends** until then. **Cancel** ends the wait. **Source** `Server.wait_closed`, as of 3.12.1.
   */
  waitClosed(): Operation<void> {
    return until({ of: this, label: "server.waitClosed", line: this.#closes, isSo: () => this.#gone(), result: () => {} });
  }

  /**
   * Ends in an orderly way: stops listening, lets the handlers end by themselves for a while, cancels those that have not, waits for
   * their cleanup, and closes all connections; after another while it drops what could not be sent.
   *
   * @param options - `grace` and `linger`: see {@link ShutdownOptions}.
   *
   * **Suspends** until all is gone. **Cancel** ends the wait; the server stays closed.
   * **Source** asyncio leaves this to `close`, `close_clients`, `abort_clients` and `wait_closed`.
   */
  shutdown(options?: ShutdownOptions): Operation<void> {
    const grace = milliseconds(options?.grace ?? GRACE, "grace");
    const linger = milliseconds(options?.linger ?? LINGER, "linger");
    return operation(this.#shutdown(grace, linger), "server.shutdown");
  }

  *#shutdown(grace: number, linger: number): Coroutine<void> {
    this.close();
    const closed = (): Operation<void> => this.waitClosed();
    const inTime = function* (): Coroutine<void> {
      yield* closed();
    };
    if (grace > 0 && !(yield* moveOnAfter(grace, inTime)).timedOut) return;
    for (const { task } of [...this.#clients]) task.cancel("the server shuts down");
    for (const { task } of [...this.#clients]) yield* task.join();
    this.closeClients();
    if (linger > 0 && !(yield* moveOnAfter(linger, inTime)).timedOut) return;
    this.abortClients();
    yield* this.waitClosed();
  }

  /** At the end of an `await using` block: `shutdown()`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  describe(): string {
    const where = this.#sockets.map(({ address, port, family }) => (family === "Unix" ? address : `${address}:${port}`));
    return `server at ${where.join(", ")}`;
  }

  *holders(): Iterable<Task<unknown>> {
    for (const { task } of this.#clients) if (!task.done()) yield task;
  }

  toString(): string {
    return `<Server ${this.#closed ? "closed" : "serving"}, ${this.connections} connections, ${this.describe()}>`;
  }

  // ── Listening ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @internal Listens at one more address. */
  *_listen(server: NodeServer, where: Parameters<typeof listen>[1], path?: string): Coroutine<void> {
    server.on("error", (error) => {
      if (server.listening) this.#report(error);
    });
    server.on("close", () => {
      this.#open.delete(server);
      this.#look();
    });
    if (this.#plan.tls) {
      server.on("connection", (socket) => this.#notePlain(socket));
      server.on("secureConnection", (socket: TLSSocket) => this.#accept(socket, path));
      server.on("tlsClientError", (error: Error, socket: TLSSocket) => this.#shakeFailed(error, socket));
    } else server.on("connection", (socket) => this.#accept(socket, path));
    yield* listen(server, where);
    this.#open.add(server);
    this.#listening.add(server);
    const bound = server.address() as AddressInfo | string;
    if (typeof bound === "string") this.#sockets.push({ address: path ?? bound, port: 0, family: "Unix" });
    else this.#sockets.push({ ...bound, family: bound.family as "IPv4" | "IPv6" });
  }

  /** @internal Ends what has been begun. */
  _giveUp(): void {
    this.close();
    for (const { task } of this.#clients) task.cancel();
    this.abortClients();
  }

  #report(exception: Error): void {
    // Once: it would come again with each connection until files are closed. Node goes on to accept by itself.
    if (this.#troubled) return;
    this.#troubled = true;
    const message = `Cannot accept a connection, ${this.describe()}; it goes on when it can`;
    this.#loop.callExceptionHandler({ message, exception });
  }

  #notePlain(socket: Socket): void {
    this.#plain.add(socket);
    socket.once("close", () => this.#plain.delete(socket));
  }

  /** As in asyncio, a client that does not get through the handshake is no error of the server's. */
  #shakeFailed(exception: Error, socket: TLSSocket): void {
    const { remoteAddress } = socket;
    socket.on("error", () => {}).destroy();
    if (!this.#loop.getDebug()) return;
    this.#loop.callExceptionHandler({ message: `TLS handshake with ${remoteAddress ?? "a client"} failed`, exception });
  }

  // ── Connections ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #accept(socket: Socket, path: string | undefined): void {
    this.#troubled = false;
    // Those under TLS are not until their handshake is done.
    socket.allowHalfOpen = true;
    if (this.#closed) {
      socket.on("error", () => {}).destroy();
      return;
    }
    if (this.#clients.size < this.#plan.maxConnections) this.#serve(socket, path);
    else if (this.#plan.whenFull === "refuse") socket.on("error", () => {}).destroy();
    else this.#standInLine(socket, path);
  }

  #standInLine(socket: Socket, path: string | undefined): void {
    // Nothing listens for its data, so after one buffer Node leaves the rest with the system, and the other side has to wait.
    const leave = (): void => {
      this.#line.delete(socket);
    };
    const ignore = (): void => {};
    socket.once("close", leave);
    socket.on("error", ignore);
    this.#line.set(socket, () => {
      leave();
      socket.off("close", leave);
      this.#serve(socket, path);
      socket.off("error", ignore);
    });
  }

  #serve(socket: Socket, path: string | undefined): void {
    const { handler, reader } = this.#plan;
    const client = new Client(this.#loop, socket, path, reader);
    this.#clients.add(client);
    client.start(handler, this.#values, () => {
      this.#clients.delete(client);
      if (this.#clients.size < this.#plan.maxConnections) {
        const [next] = this.#line.values();
        next?.();
      }
      this.#look();
    });
  }

  #gone(): boolean {
    return this.#closed && this.#open.size === 0 && this.#clients.size === 0;
  }

  #look(): void {
    if (!this.#gone()) return;
    this.#forget();
    wakeAll(this.#closes);
  }
}
