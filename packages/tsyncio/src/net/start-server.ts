/** Starting servers, over TCP and Unix sockets. Mirrors asyncio/streams.py `start_server` and `start_unix_server`. */

import { createServer, isIP, type ListenOptions, type Server as NodeServer } from "node:net";
import { createServer as createTlsServer, type TlsOptions as NodeTlsOptions } from "node:tls";
import { milliseconds, NEVER } from "../base/duration.ts";
import { isCancelled, show, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import { getRunningLoop } from "../kernel/current.ts";
import { checkBody } from "../kernel/job.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine } from "../kernel/suspended.ts";
import { hostPort, resolve } from "./address.ts";
import { NetworkError } from "./errors.ts";
import {
  checkBoolean,
  checkHost,
  checkOptions,
  checkPath,
  checkPort,
  HANDSHAKE_TIMEOUT,
  readerOptions,
  type StreamOptions,
  type TcpOptions,
  tcpOptions,
  tlsOptions,
} from "./options.ts";
import { type ClientHandler, Server, type ServerPlan } from "./server.ts";
import { claimPath, needsFile } from "./unix-path.ts";

interface AnyServerOptions extends StreamOptions {
  /** The most connections that are served at once, an integer ≥ 1; no limit by default. */
  readonly maxConnections?: number | undefined;
  /**
   * What happens with those that come then: `"wait"`, the default: they stay open and unread until there is room; `"refuse"`: they are
   * closed at once.
   */
  readonly whenFull?: "wait" | "refuse" | undefined;
  /** How many connections the system keeps for us until they are accepted, an integer ≥ 1; 511 by default, as Node has it. */
  readonly backlog?: number | undefined;
}

export interface ServerOptions extends AnyServerOptions, TcpOptions {
  /** Whether `"::"` leaves IPv4 alone; false by default. */
  readonly ipv6Only?: boolean | undefined;
}

export interface UnixServerOptions extends AnyServerOptions {
  /** Whether the socket's file is removed when the server closes, unless another has taken its place; true by default. */
  readonly cleanupSocket?: boolean | undefined;
}

/**
 * Listens for TCP connections, and runs a handler for each, as a task of its own.
 *
 * An error of the handler goes to the loop's exception handler, and closes its connection; so does its end. Whoever wants to keep a
 * connection must not return.
 *
 * @param handler - A `function*` or an async function; gets `{ reader, writer }`.
 * @param host - A name or an IP address, or several; all addresses of a name count. Null: all of this machine.
 * @param port - An integer from 0 to 65535; 0: any that is free, see `server.port`. (For each address another one, then.)
 * @param options - `tls`, `limit`, `maxConnections`, … see {@link ServerOptions}.
 * @returns the server, which listens already.
 * @throws {NetworkError} when it cannot listen there, with Node's code, such as `EADDRINUSE`. {TypeError} and {RangeError} for wrong
 *   arguments, at once.
 *
 * **Suspends** until it listens. **Cancel** ends what was begun. **Source** asyncio/streams.py `start_server`.
 *
 * @example
 * ```ts
 * const server = yield* startServer(async ({ writer }) => writer.send("hello\n"), "127.0.0.1", 0);
 * const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
 * (yield* reader.read()).toString(); // => "hello\n"
 * writer.close();
 * yield* server.shutdown();
 * ```
 */
export function startServer(
  handler: ClientHandler,
  host: string | readonly string[] | null,
  port: number,
  options?: ServerOptions,
): Operation<Server> {
  const given = checkOptions(options);
  checkBody(handler, "startServer");
  const hosts = typeof host === "string" ? [host] : host;
  if (hosts !== null && (!Array.isArray(hosts) || hosts.length === 0)) {
    throw unexpected("`host` to be a name, an address, several of them, or null", host);
  }
  for (const each of hosts ?? []) checkHost(each);
  checkPort(port, 0);
  const { ipv6Only = false } = given;
  checkBoolean(ipv6Only, "ipv6Only");
  const { backlog, plan, make } = common(handler, given, tcpOptions(given));
  const begin = function* (server: Server): Coroutine<void> {
    for (const each of hosts ?? [undefined]) yield* listenAt(server, make, each, { port, backlog, ipv6Only });
  };
  const what = hosts === null ? `port ${port}` : hosts.map((each) => hostPort(each, port)).join(", ");
  return operation(starting(plan, begin, `listen at ${what}`), "startServer");
}

/**
 * As {@link startServer}, at a Unix socket (on Windows, a named pipe).
 *
 * A socket's file that a dead server has left there is replaced. One that somebody listens at is not: that is `EADDRINUSE`.
 *
 * @param path - Where in the file system; with a NUL in front, in Linux' abstract namespace.
 * @throws As startServer does.
 *
 * **Suspends** until it listens. **Cancel** ends what was begun. **Source** asyncio/streams.py `start_unix_server`, which takes the
 * place of a server that is alive, too.
 */
export function startUnixServer(handler: ClientHandler, path: string, options?: UnixServerOptions): Operation<Server> {
  const given = checkOptions(options);
  checkBody(handler, "startUnixServer");
  checkPath(path);
  const { cleanupSocket = true } = given;
  checkBoolean(cleanupSocket, "cleanupSocket");
  const { backlog, plan, make } = common(handler, given, {});
  const begin = function* (server: Server): Coroutine<void> {
    if (!needsFile(path)) {
      yield* server._listen(make(), { path, backlog }, path);
      return;
    }
    const claim = yield* claimPath(path);
    yield* server._listen(make(), { path: claim.temporary, backlog }, path);
    const remove = claim.publish();
    if (cleanupSocket) server._onClose = remove;
  };
  return operation(starting(plan, begin, `listen at ${path}`), "startUnixServer");
}

function* starting(plan: ServerPlan, begin: (server: Server) => Coroutine<void>, what: string): Coroutine<Server> {
  const server = new Server(getRunningLoop(), plan);
  try {
    yield* begin(server);
    return server;
  } catch (error) {
    server._giveUp();
    throw isCancelled(error) || error instanceof NetworkError ? error : new NetworkError(what, [error]);
  }
}

/** Listens at all addresses of a host; undefined: of the machine. */
function* listenAt(
  server: Server,
  make: () => NodeServer,
  host: string | undefined,
  where: ListenOptions & { readonly ipv6Only: boolean },
): Coroutine<void> {
  if (host === undefined) {
    yield* server._listen(make(), where);
    return;
  }
  const found = yield* resolve(host, 0, undefined);
  const addresses = [...new Set(found.map((each) => each.address))];
  const missing: unknown[] = [];
  for (const address of addresses) {
    try {
      // Each family on its own socket: for one name, "::" must not take what "0.0.0.0" is to get.
      const ipv6Only = where.ipv6Only || (addresses.length > 1 && isIP(address) === 6);
      yield* server._listen(make(), { ...where, host: address, ipv6Only });
    } catch (error) {
      // As in asyncio: a name may stand for an address of a family that is switched off here.
      if ((error as { code?: string }).code !== "EADDRNOTAVAIL") throw error;
      missing.push(error);
    }
  }
  if (missing.length === addresses.length) throw new NetworkError(`listen at ${host}`, missing);
}

/** What both kinds of servers have in common. */
function common(
  handler: ClientHandler,
  given: AnyServerOptions,
  socket: object,
): { readonly backlog: number; readonly plan: ServerPlan; readonly make: () => NodeServer } {
  const { maxConnections = NEVER, whenFull = "wait", backlog = 511 } = given;
  if (maxConnections !== NEVER) checkCount(maxConnections, "maxConnections");
  checkCount(backlog, "backlog");
  if (whenFull !== "wait" && whenFull !== "refuse") throw unexpected('`whenFull` to be "wait" or "refuse"', whenFull);
  const tls = tlsOptions(given);
  const plan: ServerPlan = { handler, reader: readerOptions(given), tls: tls !== null, maxConnections, whenFull };
  if (tls === null) return { backlog, plan, make: () => createServer({ ...socket, allowHalfOpen: true }) };
  if (given.tls === true) throw new TypeError("Expected `tls` of a server to be an object with its certificate: { key, cert }");
  const { handshakeTimeout = HANDSHAKE_TIMEOUT, ...rest } = tls;
  // Node takes 0 for never.
  const limit = milliseconds(handshakeTimeout);
  // Not half-open before the handshake is done: a client that gives up in the middle would be kept. See `Server.#accept`.
  const options = { ...rest, ...socket, allowHalfOpen: false, handshakeTimeout: limit === NEVER ? 0 : limit } as NodeTlsOptions;
  // Made now, so that a key that is none is refused now.
  let first: NodeServer | null = createTlsServer(options);
  const make = (): NodeServer => {
    const made = first ?? createTlsServer(options);
    first = null;
    return made;
  };
  return { backlog, plan, make };
}

function checkCount(value: unknown, name: string): void {
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new RangeError(`Expected \`${name}\` to be an integer ≥ 1, got ${show(value)}`);
  }
}
