/** What connections and servers are made with, and the refusal of what they cannot be made with. */

import type { LookupFunction } from "node:net";
import { type Duration, milliseconds, NEVER } from "../base/duration.ts";
import { show, unexpected } from "../base/errors.ts";
import { type ReaderOptions, StreamReader } from "../streams/reader.ts";
import type { TlsOptions } from "../streams/tls-options.ts";

/** What all kinds of streams over the network have in common. */
export interface StreamOptions extends ReaderOptions {
  /** By TLS, with Node's options; true on a client: with the usual ones. */
  readonly tls?: TlsOptions | boolean | undefined;
}

/** What TCP adds to it. */
export interface TcpOptions extends StreamOptions {
  /** Whether small writes are sent at once instead of being gathered (`TCP_NODELAY`); true by default, as in asyncio. */
  readonly noDelay?: boolean | undefined;
  /** Whether the system looks after silent connections (`SO_KEEPALIVE`); a duration: after so long. False by default. */
  readonly keepAlive?: Duration | boolean | undefined;
}

/** Finds the addresses of a host, as Node's `dns.lookup`. */
export type Lookup = LookupFunction;

export const HANDSHAKE_TIMEOUT = 60_000;

/** The options of Node for what `TcpOptions` says. */
export function tcpOptions(options: TcpOptions): { noDelay: boolean; keepAlive: boolean; keepAliveInitialDelay: number } {
  const { noDelay = true, keepAlive = false } = options;
  checkBoolean(noDelay, "noDelay");
  if (typeof keepAlive === "boolean") return { noDelay, keepAlive, keepAliveInitialDelay: 0 };
  const delay = milliseconds(keepAlive, "keepAlive");
  if (delay < 0 || delay === NEVER) throw new RangeError(`Expected \`keepAlive\` to be a time ≥ 0, got ${show(keepAlive)}`);
  return { noDelay, keepAlive: true, keepAliveInitialDelay: delay };
}

/** The TLS options; null for a connection in the clear. */
export function tlsOptions(options: StreamOptions): TlsOptions | null {
  const { tls = false } = options;
  if (typeof tls === "boolean") return tls ? {} : null;
  if (typeof tls !== "object" || tls === null) throw unexpected("`tls` to be true or an object such as { ca }", tls);
  handshakeTimeout(tls);
  return tls;
}

export function handshakeTimeout(tls: TlsOptions): number {
  const { handshakeTimeout: given = HANDSHAKE_TIMEOUT } = tls;
  const time = milliseconds(given, "handshakeTimeout");
  if (time <= 0) throw new RangeError(`Expected \`handshakeTimeout\` to be above 0, got ${show(given)}`);
  return time;
}

/** An options object, when none was given as well. */
export function checkOptions<T extends object>(options: T | undefined): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) throw unexpected("`options` to be an object", options);
  return options;
}

/** Refuses a wrong limit now, not with the first connection. */
export function readerOptions(options: ReaderOptions): ReaderOptions {
  const { limit } = options;
  new StreamReader({ limit });
  return { limit };
}

export function checkHost(host: unknown, name = "host"): asserts host is string {
  if (typeof host !== "string") throw unexpected(`\`${name}\` to be a name or an address, such as "127.0.0.1"`, host);
  if (host === "") throw new RangeError(`Expected \`${name}\` to be a name or an address, got ""`);
}

export function checkPort(port: unknown, lowest: number, name = "port"): asserts port is number {
  if (typeof port === "number" && Number.isInteger(port) && port >= lowest && port <= 65_535) return;
  const Class = typeof port === "number" ? RangeError : TypeError;
  throw new Class(`Expected \`${name}\` to be an integer from ${lowest} to 65535, got ${show(port)}`);
}

export function checkPath(path: unknown): asserts path is string {
  if (typeof path !== "string") throw unexpected("`path` to be the path of a Unix socket", path);
  if (path === "") throw new RangeError('Expected `path` to be the path of a Unix socket, got ""');
}

export function checkBoolean(value: unknown, name: string): void {
  if (typeof value !== "boolean") throw unexpected(`\`${name}\` to be true or false`, value);
}
