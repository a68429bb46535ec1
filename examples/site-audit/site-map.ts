// Every address the audit has met, what it answered, and who refers to it.
//
// One address is one resource, whatever its #fragment. A redirect is a resource too: it knows the
// next address, so chains are followed on the map, and no address is requested once per chain.

import type { Failure } from "./fetch-page.ts";
import type { Link, PageContents } from "./links.ts";
import type { Trouble } from "./retry-policy.ts";

/** One page that holds a link. */
export interface Reference {
  /** The page (or style sheet). */
  page: string;
  /** With its `#`, or empty. */
  fragment: string;
  expects: Link["expects"];
  post: boolean;
}

export interface Resource {
  readonly url: string;
  /** Outside the site: at most asked for, never read. */
  readonly external: boolean;
  /** How many redirects led here from the first link. */
  readonly hops: number;
  readonly references: Reference[];

  // STATE  met ──request──▶ answered (status) or failed (failure); still met when the run was cut short
  status?: number;
  failure?: Failure;

  /** Requests it took, and what went wrong with the first of them when there were more. */
  attempts: number;
  firstTrouble?: Trouble;

  /** In lower case; empty when there was none. */
  contentType: string;
  size: number;
  truncated: boolean;
  hash: string;
  duration: number;
  /** Where it redirects to; undefined when it does not. */
  next?: Resource;
  /** Why its redirect cannot be followed: no address, or one too many. */
  noNext?: { reason: "bad-redirect" | "too-long"; detail: string };
  encodingFault?: string;
  typeFault?: string;
  /** What it holds, if it is a page: without the links, which are references by then. */
  page?: Pick<PageContents, "title" | "anchors" | "canonical" | "faults">;
}

export class SiteMap {
  readonly start: string;
  readonly maxPages: number;
  /** The site: what has one of these origins is crawled. */
  readonly origins = new Set<string>();
  readonly resources = new Map<string, Resource>();
  /** Links that are no URL, with the pages that hold them. */
  readonly badLinks = new Map<string, Set<string>>();
  /** Links that are not for HTTP (mailto:, tel:, data:, …). */
  otherSchemes = 0;
  /** Pages read; the links of the first `maxPages` are on the map. */
  pages = 0;

  constructor(start: string, maxPages: number) {
    this.start = withoutFragment(start);
    this.maxPages = maxPages;
    this.origins.add(new URL(start).origin);
  }

  /** The start address or, as far as that is known, where it redirects to. */
  entrance(): Resource {
    let entrance = this.at(this.start);
    const passed = new Set<Resource>();
    while (entrance.next !== undefined && !passed.has(entrance)) {
      passed.add(entrance);
      entrance = entrance.next;
    }
    return entrance;
  }

  /** Enters the links of a page; tells which resources they lead to. */
  referAll(page: Resource, links: readonly Link[]): Resource[] {
    return links.flatMap((link) => this.#refer(page.url, link) ?? []);
  }

  #refer(page: string, link: Link): Resource | undefined {
    if (link.url === undefined) {
      const pages = this.badLinks.get(link.raw) ?? new Set();
      this.badLinks.set(link.raw, pages.add(page));
      return undefined;
    }
    const url = new URL(link.url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      this.otherSchemes++;
      return undefined;
    }
    const resource = this.at(link.url);
    resource.references.push({ page, fragment: url.hash, expects: link.expects, post: link.post });
    return resource;
  }

  /** The resource at an address: a new one if it was not met before. */
  at(address: string, hops = 0): Resource {
    const url = withoutFragment(address);
    const known = this.resources.get(url);
    if (known) return known;
    const resource: Resource = {
      url,
      hops,
      external: !this.origins.has(new URL(url).origin),
      references: [],
      attempts: 0,
      contentType: "",
      size: 0,
      truncated: false,
      hash: "",
      duration: 0,
    };
    this.resources.set(url, resource);
    return resource;
  }
}

function withoutFragment(address: string): string {
  const url = new URL(address);
  url.hash = "";
  return url.href;
}
