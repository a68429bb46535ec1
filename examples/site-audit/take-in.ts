// Enters an answer into the map of the site: what it was, where it redirects, what it holds.
//
// Nothing here waits, so whoever interrupts the audit never leaves half an answer in the map.

import { decodePage } from "./charset.ts";
import type { Answer } from "./fetch-page.ts";
import { readPage, readStyleSheet } from "./links.ts";
import { MAX_REDIRECTS } from "./redirects.ts";
import type { Resource, SiteMap } from "./site-map.ts";

/** @returns the resources that the answer refers to, new or known. */
export function takeIn(site: SiteMap, resource: Resource, answer: Answer): Resource[] {
  resource.status = answer.status;
  resource.contentType = answer.headers.get("content-type")?.toLowerCase() ?? "";
  resource.size = answer.size;
  resource.truncated = answer.truncated;
  resource.hash = answer.hash;
  resource.duration = answer.duration;
  if ([301, 302, 303, 307, 308].includes(answer.status)) return takeRedirect(site, resource, answer);
  if (resource.external || answer.status >= 300) return [];
  return takeContent(site, resource, answer);
}

function takeRedirect(site: SiteMap, resource: Resource, answer: Answer): Resource[] {
  const location = answer.headers.get("location");
  if (location === null) {
    resource.noNext = { reason: "bad-redirect", detail: `status ${answer.status} without a Location` };
    return [];
  }
  const target = URL.canParse(location, resource.url) ? new URL(location, resource.url) : undefined;
  if (target?.protocol !== "http:" && target?.protocol !== "https:") {
    resource.noNext = { reason: "bad-redirect", detail: `redirects to "${location}", which is no web address` };
    return [];
  }
  if (resource.hops >= MAX_REDIRECTS) {
    resource.noNext = { reason: "too-long", detail: `${MAX_REDIRECTS} redirects and no end` };
    return [];
  }
  // example.com redirects to www.example.com: the site is where the start address leads.
  if (resource === site.entrance()) site.origins.add(target.origin);
  resource.next = site.at(target.href, resource.hops + 1);
  return [resource.next];
}

function takeContent(site: SiteMap, resource: Resource, answer: Answer): Resource[] {
  const type = resource.contentType;
  if (/^(text\/html|application\/xhtml\+xml)\b/.test(type)) return takePage(site, resource, answer);
  if (/^text\/css\b/.test(type)) {
    const { text } = decodePage(answer.body, type, answer.truncated);
    return site.referAll(resource, readStyleSheet(text, resource.url));
  }
  // Scripts and the like may begin with markup; a type that says nothing, or "plain text", should not.
  if (/^($|text\/plain|application\/octet-stream)/.test(type) && looksLikeHtml(answer.body)) {
    resource.typeFault = `a page served as ${type || "no type at all"}`;
  }
  return [];
}

function takePage(site: SiteMap, resource: Resource, answer: Answer): Resource[] {
  const { text, fault } = decodePage(answer.body, resource.contentType, answer.truncated);
  if (fault) resource.encodingFault = fault;
  const { links, ...page } = readPage(text, resource.url, !answer.truncated);
  resource.page = page;
  site.pages++;
  if (site.pages > site.maxPages) return [];
  return site.referAll(resource, links);
}

function looksLikeHtml(body: Uint8Array): boolean {
  const head = Buffer.from(body.subarray(0, 200)).toString("latin1");
  return /^\s*(<!doctype html|<html)/i.test(head);
}
