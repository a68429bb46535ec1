/** Addresses, and how they are found. */

import { lookup as dnsLookup, type LookupAddress } from "node:dns";
import { isIP } from "node:net";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";
import type { Lookup } from "./options.ts";

/** Where something listens, or is connected to. */
export interface SocketAddress {
  /** An IP address; for a Unix socket its path. */
  readonly address: string;
  /** 0 for a Unix socket. */
  readonly port: number;
  readonly family: "IPv4" | "IPv6" | "Unix";
}

/** `host:port` as it is written in URLs. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The addresses of a host; of an address, itself. */
export function resolve(host: string, family: 0 | 4 | 6, lookup: Lookup | undefined): Operation<readonly LookupAddress[]> {
  return new Resolve(host, family, lookup ?? (dnsLookup as Lookup)) as unknown as Operation<readonly LookupAddress[]>;
}

class Resolve extends Op<readonly LookupAddress[]> {
  declare readonly _host: string;
  declare readonly _family: 0 | 4 | 6;
  declare readonly _lookup: Lookup;
  declare _found: readonly LookupAddress[] | null;
  declare _error: Error | null;

  constructor(host: string, family: 0 | 4 | 6, lookup: Lookup) {
    super();
    this._host = host;
    this._family = family;
    this._lookup = lookup;
    this._found = null;
    this._error = null;
  }

  override _start(): Step<readonly LookupAddress[]> {
    const given = isIP(this._host);
    if (given !== 0) return done([{ address: this._host, family: given }]);
    // It cannot be called off: what comes when nobody waits any more is left alone.
    this._lookup(this._host, { all: true, family: this._family, verbatim: true }, (error, found, family) => {
      this._error = error;
      if (typeof found === "string") this._found = [{ address: found, family: family ?? isIP(found) }];
      else this._found = found ?? [];
      this._wake();
    });
    // A function of the user's may have answered at once.
    return this._found === null && this._error === null ? this._wait() : this._resume();
  }

  override _resume(): Step<readonly LookupAddress[]> {
    if (this._error !== null) throw this._error;
    const found = this._found as readonly LookupAddress[];
    if (found.length > 0) return done(found);
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${this._host}`), {
      code: "ENOTFOUND",
      syscall: "getaddrinfo",
      hostname: this._host,
    });
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return `lookup of ${this._host}`;
  }
}

/** The families by turns, each in its order: what RFC 8305 asks for, so that one that does not work costs a single attempt. */
export function interleave(addresses: readonly LookupAddress[]): LookupAddress[] {
  const first = addresses[0]?.family;
  const [ours, others] = [addresses.filter((each) => each.family === first), addresses.filter((each) => each.family !== first)];
  const mixed: LookupAddress[] = [];
  for (let i = 0; i < Math.max(ours.length, others.length); i++) {
    for (const each of [ours[i], others[i]]) if (each !== undefined) mixed.push(each);
  }
  return mixed;
}
