// Follows redirects on the map of the site, after the requests are done.

import type { Resource } from "./site-map.ts";

/** Twice as many as anyone needs; a longer chain is not followed and reported as endless. */
export const MAX_REDIRECTS = 10;

export interface Hop {
  url: string;
  status: number;
}

export interface Route {
  /** The redirects passed, in order; empty for most links. */
  hops: Hop[];
  /** Where they ended; in a loop, the address that came up twice. */
  end: Resource;
  loop: boolean;
}

export function follow(from: Resource): Route {
  const hops: Hop[] = [];
  const passed = new Set<Resource>();
  let end = from;
  while (end.next !== undefined && !passed.has(end)) {
    passed.add(end);
    hops.push({ url: end.url, status: end.status ?? 0 });
    end = end.next;
  }
  return { hops, end, loop: passed.has(end) };
}

/** Permanent only if every hop is: then the link can be replaced by its target for good. */
export function isPermanent(hops: readonly Hop[]): boolean {
  return hops.every(({ status }) => status === 301 || status === 308);
}
