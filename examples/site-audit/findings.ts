// From the map of the site to the list of its faults. No request is made here: what was found is
// decided by what was answered, so a partial map gives a partial list by the same rules.

import { counted } from "./counted.ts";
import { follow, type Hop, isPermanent, MAX_REDIRECTS } from "./redirects.ts";
import type { AuditSettings } from "./settings.ts";
import type { Reference, Resource, SiteMap } from "./site-map.ts";

/** In the order of the report. The first three are links that do not work. */
export const FINDING_KINDS = [
  "broken",
  "timed-out",
  "redirect-loop",
  "malformed",
  "flaky",
  "slow",
  "oversized",
  "duplicate",
  "redirect",
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  kind: FindingKind;
  /** The address as the pages refer to it. */
  url: string;
  /** A status, or one stable word. */
  reason: string;
  /** The same for people. */
  detail: string;
  /** The pages (and style sheets) that refer to it, sorted; none for the start page. */
  pages: string[];
  /** The redirects passed, where there are any. */
  hops?: Hop[];
  /** Of duplicates: all addresses, `url` being the first. */
  urls?: string[];
}

/** Whether the finding is a link that leads nowhere. */
export function isBrokenLink({ kind }: Finding): boolean {
  return kind === "broken" || kind === "timed-out" || kind === "redirect-loop";
}

export function findFaults(site: SiteMap, settings: AuditSettings): Finding[] {
  const referrers = referrersOf(site);
  const findings: Finding[] = [];
  for (const [raw, pages] of site.badLinks) {
    findings.push({ kind: "broken", url: raw, reason: "bad-url", detail: "not a valid URL", pages: sorted(pages) });
  }
  for (const resource of site.resources.values()) {
    const isLink = resource.references.length > 0 || resource.url === site.start;
    if (isLink) findings.push(...faultsOfLink(resource));
    findings.push(...faultsOfAnswer(resource, settings, sorted(referrers.get(resource) ?? [])));
  }
  findings.push(...duplicates(site, referrers));
  return findings.sort((a, b) => FINDING_KINDS.indexOf(a.kind) - FINDING_KINDS.indexOf(b.kind) || compare(a.url, b.url));
}

/** Does the link lead anywhere? Judged by where its redirects end. */
function* faultsOfLink(resource: Resource): Generator<Finding> {
  const { hops, end, loop } = follow(resource);
  const finding = (kind: FindingKind, reason: string, detail: string, pages = pagesOf(resource.references)) => ({
    kind,
    url: resource.url,
    reason,
    detail:
      hops.length > 0 && (kind === "broken" || kind === "timed-out") ? `${detail}, after a redirect to ${end.url}` : detail,
    pages,
    ...(hops.length > 0 ? { hops } : {}),
  });

  if (loop) {
    yield finding("redirect-loop", "loop", `comes back to ${end.url} after ${counted(hops.length, "redirect")}`);
  } else if (end.noNext?.reason === "too-long") {
    yield finding("redirect-loop", "too-long", `still redirecting after ${counted(MAX_REDIRECTS, "redirect")}`);
  } else if (end.noNext) {
    yield finding("broken", end.noNext.reason, end.noNext.detail);
  } else if (end.failure) {
    const { reason, detail } = end.failure;
    yield finding(reason === "timed-out" ? "timed-out" : "broken", reason, detail);
  } else if (end.status !== undefined && end.status >= 400) {
    // A form is never sent, so "method not allowed" is the right answer to a look at where it POSTs.
    const held = resource.references.filter(({ post }) => !(post && end.status === 405));
    if (held.length > 0 || resource.references.length === 0) {
      yield finding("broken", String(end.status), `status ${end.status}`, pagesOf(held));
    }
  } else {
    if (hops.length > 0 && (end.status !== undefined || end.external)) {
      const reason = isPermanent(hops) ? "permanent" : "temporary";
      yield finding("redirect", reason, `${hops.map(({ status }) => status).join(", ")} to ${end.url}`);
    }
    yield* missingAnchors(resource, end);
    yield* wrongTypes(resource, end);
  }
}

/** Links whose #fragment is nowhere in the page. Only a page that was read whole can tell. */
function* missingAnchors(resource: Resource, end: Resource): Generator<Finding> {
  if (end.page === undefined || end.truncated) return;
  for (const [fragment, references] of groupBy(resource.references, ({ fragment }) => fragment)) {
    if (pointsSomewhere(fragment, end.page.anchors)) continue;
    yield {
      kind: "broken",
      url: resource.url + fragment,
      reason: "missing-anchor",
      detail: `the page has no "${fragment.slice(1)}"`,
      pages: pagesOf(references),
    };
  }
}

/** An asset that browsers refuse for its content type: a page in the place of an image, say. */
function* wrongTypes(resource: Resource, end: Resource): Generator<Finding> {
  if (end.external || end.status !== 200 || end.contentType === "") return;
  const accepted = { image: /^(?!text\/)/, script: /^(text|application)\/(x-)?(java|ecma)script\b/, style: /^text\/css\b/ };
  const refused = resource.references.filter(({ expects }) => expects && !accepted[expects].test(end.contentType));
  if (refused.length === 0) return;
  const kinds = sorted(refused.map(({ expects }) => expects ?? ""));
  yield {
    kind: "malformed",
    url: resource.url,
    reason: "content-type",
    detail: `wanted as ${kinds.join(" and ")}, served as ${end.contentType}`,
    pages: pagesOf(refused),
  };
}

function pointsSomewhere(fragment: string, anchors: ReadonlySet<string>): boolean {
  // A text fragment (#:~:text=…) quotes the page; "#/…" and "#!…" are routes of a script.
  const name = fragment.slice(1).replace(/:~:.*$/, "");
  if (name === "" || /^top$/i.test(name) || /^[!/]/.test(name)) return true;
  return anchors.has(name) || anchors.has(decoded(name));
}

/** What is wrong with an answer that did come. */
function* faultsOfAnswer(resource: Resource, settings: AuditSettings, pages: string[]): Generator<Finding> {
  if (resource.status === undefined || resource.status >= 400) return;
  const finding = (kind: FindingKind, reason: string, detail: string) => ({ kind, url: resource.url, reason, detail, pages });
  if (resource.attempts > 1 && resource.firstTrouble) {
    const { reason, detail } = resource.firstTrouble;
    yield finding("flaky", reason, `${detail}; attempt ${resource.attempts} succeeded`);
  }
  if (resource.external) return; // the rest is for those to know whose site it is
  if (resource.duration > settings.slow) {
    yield finding("slow", "slow", `${(resource.duration / 1000).toFixed(2)} s`);
  }
  if (resource.truncated) {
    // An answer that does not announce its size was only seen to be larger than the limit.
    const announced = resource.size > settings.maxSize;
    yield finding("oversized", "oversized", announced ? megabytes(resource.size) : `over ${megabytes(settings.maxSize)}`);
  }
  if (resource.encodingFault) yield finding("malformed", "encoding", resource.encodingFault);
  if (resource.typeFault) yield finding("malformed", "content-type", resource.typeFault);
  if (resource.page && resource.page.faults.length > 0) {
    yield finding("malformed", "html", resource.page.faults.join(", "));
  }
}

/** The same content under several addresses. A page that names another one as canonical says so itself. */
function* duplicates(site: SiteMap, referrers: ReadonlyMap<Resource, Set<string>>): Generator<Finding> {
  const whole = [...site.resources.values()].filter(
    ({ status, external, size, truncated, page, url }) =>
      status === 200 && !external && size > 0 && !truncated && (page?.canonical ?? url) === url,
  );
  for (const group of groupBy(whole, ({ hash }) => hash).values()) {
    if (group.length < 2) continue;
    const urls = sorted(group.map(({ url }) => url));
    yield {
      kind: "duplicate",
      url: urls[0] ?? "",
      reason: "content",
      detail: `same content under ${urls.length} addresses`,
      pages: sorted(group.flatMap((resource) => [...(referrers.get(resource) ?? [])])),
      urls,
    };
  }
}

/** For each resource, the pages whose links lead to it, directly or by redirects. */
function referrersOf(site: SiteMap): Map<Resource, Set<string>> {
  const referrers = new Map<Resource, Set<string>>();
  for (const resource of site.resources.values()) {
    const passed = new Set<Resource>();
    for (let at: Resource | undefined = resource; at !== undefined && !passed.has(at); at = at.next) {
      passed.add(at);
      const pages = referrers.get(at) ?? new Set();
      for (const { page } of resource.references) pages.add(page);
      referrers.set(at, pages);
    }
  }
  return referrers;
}

function pagesOf(references: readonly Reference[]): string[] {
  return sorted(references.map(({ page }) => page));
}

/** Sorted by code unit, each once: the same on every machine. */
function sorted(texts: Iterable<string>): string[] {
  return [...new Set(texts)].sort();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function groupBy<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a stray %: then the name is meant as it is
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)} MB`;
}
