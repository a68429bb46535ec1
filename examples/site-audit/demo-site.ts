// The site that the demo audits: sound pages, and faults whose list is known beforehand.

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { plantFaults } from "./demo-faults.ts";
import { type DemoPage, demoPages, picture, render, seededRandom } from "./demo-pages.ts";
import type { FindingKind } from "./findings.ts";
import { serveOnLoopback } from "./loopback-server.ts";
import type { AuditSettings } from "./settings.ts";

export interface PlantedFault {
  kind: FindingKind;
  url: string;
  reason: string;
  /** Every page that holds it, sorted. */
  pages: string[];
}

export interface DemoSite {
  start: string;
  /** How many HTML pages it has. */
  pageCount: number;
  planted: PlantedFault[];
  close(): Promise<void>;
}

export type Respond = (request: IncomingMessage, response: ServerResponse) => void;

/** The limits that decide what is a fault: pages are made slow and huge by them. */
export type DemoLimits = Pick<AuditSettings, "timeout" | "retries" | "slow" | "maxSize">;

/**
 * What the faults are planted into. Addresses are paths here; the origin is known once the server
 * listens.
 */
export class DemoPlan {
  readonly limits: DemoLimits;
  readonly random: () => number;
  readonly start: DemoPage;
  readonly articles: readonly DemoPage[];
  readonly routes = new Map<string, Respond>();
  readonly faults: PlantedFault[] = [];
  pageCount = 0;

  constructor(seed: number, limits: DemoLimits) {
    this.limits = limits;
    this.random = seededRandom(seed);
    const { start, topics, articles } = demoPages(this.random);
    this.start = start;
    this.articles = articles;
    for (const page of [start, ...topics, ...articles]) this.page(page.path, () => render(page));
    for (let index = 0; index < 12; index++) this.serve(`/assets/picture-${index}.svg`, "image/svg+xml", picture(index));
    this.serve("/assets/site.js", "text/javascript", 'document.title += " (seen)"; // "<a href=/not-a-link>"');
  }

  /** Serves a sound page. */
  page(path: string, html: () => string): void {
    this.pageCount++;
    this.routes.set(path, (_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end(html());
    });
  }

  /** Serves a fixed text as it is. */
  serve(path: string, contentType: string, body: string | Uint8Array): void {
    this.routes.set(path, (_request, response) => {
      response.writeHead(200, { "content-type": contentType }).end(body);
    });
  }

  /** Puts a link on some articles; tells which, sorted. */
  link(markup: string, count = 1 + Math.floor(this.random() * 3)): string[] {
    const holders = new Set<DemoPage>();
    while (holders.size < count) {
      holders.add(this.articles[Math.floor(this.random() * this.articles.length)] as DemoPage);
    }
    for (const page of holders) page.links.push(markup);
    return [...holders].map(({ path }) => path).sort();
  }
}

export async function openDemoSite(limits: DemoLimits, seed = 2024): Promise<DemoSite> {
  const plan = new DemoPlan(seed, limits);
  plantFaults(plan);
  const listener: RequestListener = (request, response) => {
    const path = request.url ?? "/";
    const respond = plan.routes.get(path) ?? plan.routes.get(path.replace(/\?.*$/, ""));
    if (respond) respond(request, response);
    else response.writeHead(404, { "content-type": "text/html" }).end("<!doctype html><title>404</title>");
  };
  const server = await serveOnLoopback(listener);
  const absolute = (path: string) => (path.startsWith("/") ? server.origin + path : path);
  return {
    start: `${server.origin}/`,
    pageCount: plan.pageCount,
    planted: plan.faults.map((fault) => ({
      ...fault,
      url: absolute(fault.url),
      pages: fault.pages.map(absolute).sort(),
    })),
    close: server.close,
  };
}
