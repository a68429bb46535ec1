/**
 * Stale fill: a page is not in the cache, so it is rendered; while that goes on, the page is edited and dropped from the cache; then
 * the old rendering is put there, and stays. No check fails here: `shared()` notices.
 *
 * Not seen first come, first served: the edit comes in the millisecond in which the rendering ends, and after.
 *
 * Mended: what was rendered is kept only if the page is still of the version that was rendered.
 */

import { createTask, gather, sleep } from "tsyncio";
import { shared, type TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Site {
  readonly cache: Map<string, string> = shared(new Map<string, string>(), "cache");
  readonly #pages = new Map([["/", "Hello"]]);
  readonly #versions = new Map([["/", 1]]);

  version(path: string): number {
    return this.#versions.get(path) ?? 0;
  }

  async render(path: string): Promise<string> {
    const text = this.#pages.get(path) ?? "not found";
    await sleep("20ms");
    return `<p>${text}</p>`;
  }

  async edit(path: string, text: string): Promise<void> {
    await sleep("15ms"); // somebody types
    await sleep("5ms"); // it is saved
    this.#pages.set(path, text);
    this.#versions.set(path, this.version(path) + 1);
    this.cache.delete(path);
  }
}

type Serve = (site: Site, path: string) => Promise<string>;

async function serveAndKeep(site: Site, path: string): Promise<string> {
  const cached = site.cache.get(path);
  if (cached !== undefined) return cached;
  const html = await site.render(path);
  site.cache.set(path, html);
  return html;
}

async function serveAndKeepIfNew(site: Site, path: string): Promise<string> {
  const cached = site.cache.get(path);
  if (cached !== undefined) return cached;
  const version = site.version(path);
  const html = await site.render(path);
  if (version === site.version(path) && !site.cache.has(path)) site.cache.set(path, html);
  return html;
}

const serveAndEdit =
  (serve: Serve): TestBody =>
  async () => {
    const site = new Site();
    await gather(
      createTask(() => serve(site, "/"), { name: "visitor" }),
      createTask(() => site.edit("/", "Good morning"), { name: "editor" }),
    );
  };

export const staleCacheFill: Bug = {
  name: "stale cache fill",
  runs: 10,
  decisions: 1,
  fails: ["ProblemError", "STALE_WRITE"],
  buggy: serveAndEdit(serveAndKeep),
  mended: serveAndEdit(serveAndKeepIfNew),
};
