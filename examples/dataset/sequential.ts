// The same totals by a plain program: one file after another, nothing at the same time, nothing of tsyncio. It shares no code with the
// other one, so that a mistake is not made twice.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { isMain } from "../articles/is-main.ts";
import type { Amount, Totals } from "./totals.ts";

interface Package {
  name: string;
  bytes: number;
}

interface Script {
  folder: string;
  bytes: number;
}

export function readSequentially(root: string): Totals {
  const totals: Totals = {
    scripts: { files: 0, bytes: 0, lines: 0 },
    manifests: { files: 0, bytes: 0, lines: 0 },
    packages: 0,
    distinctPackages: 0,
    licences: {},
    wanted: {},
    largest: null,
    malformed: 0,
    problems: [],
  };
  const packages = new Map<string, Package>();
  const scripts: Script[] = [];
  const names: string[] = [];
  const licences: string[] = [];
  const wanted: string[] = [];

  function visit(folder: string): void {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.name[0] === ".") continue;
      try {
        if (entry.isDirectory()) visit(path);
        else if (!entry.isFile()) continue;
        else if (entry.name === "package.json") readManifest(path, folder);
        else if ([".js", ".mjs", ".cjs"].some((end) => entry.name.endsWith(end))) {
          scripts.push({ folder, bytes: add(totals.scripts, readFileSync(path)) });
        }
      } catch (error) {
        totals.problems.push({ path: relative(root, path), code: (error as NodeJS.ErrnoException).code ?? String(error) });
      }
    }
  }

  function readManifest(path: string, folder: string): void {
    const content = readFileSync(path);
    const bytes = add(totals.manifests, content);
    let json: Record<string, unknown>;
    try {
      json = JSON.parse(content.toString("utf8").replace(/^\ufeff/, ""));
    } catch {
      totals.malformed++;
      return;
    }
    if (json === null || typeof json !== "object" || Array.isArray(json)) {
      totals.malformed++;
      return;
    }
    if (typeof json.name !== "string" || json.name === "") return;
    packages.set(folder, { name: json.name, bytes });
    names.push(`${json.name}@${typeof json.version === "string" ? json.version : ""}`);
    licences.push(readLicence(json));
    const { dependencies } = json;
    if (dependencies && typeof dependencies === "object" && !Array.isArray(dependencies))
      wanted.push(...Object.keys(dependencies));
  }

  visit(root);
  for (const { folder, bytes } of scripts) {
    let above = folder;
    while (above !== root && !packages.has(above)) above = dirname(above);
    const owner = packages.get(above);
    if (owner) owner.bytes += bytes;
  }
  const [first] = [...packages].sort(([a, one], [b, other]) => other.bytes - one.bytes || order(a, b));
  if (first) totals.largest = { path: relative(root, first[0]) || ".", name: first[1].name, bytes: first[1].bytes };
  totals.packages = names.length;
  totals.distinctPackages = new Set(names).size;
  totals.licences = Object.fromEntries(tallyOf(licences));
  totals.wanted = Object.fromEntries(tallyOf(wanted).slice(0, 10));
  totals.problems.sort((a, b) => order(a.path, b.path));
  return totals;
}

function add(amount: Amount, content: Buffer): number {
  amount.files += 1;
  amount.bytes += content.byteLength;
  let ends = 0;
  for (const byte of content) if (byte === 0x0a) ends++;
  amount.lines += ends + (content.byteLength > 0 && content[content.byteLength - 1] !== 0x0a ? 1 : 0);
  return content.byteLength;
}

function readLicence({ license, licenses }: Record<string, unknown>): string {
  if (typeof license === "string") return license;
  const found: string[] = [];
  for (const given of [license, licenses]) {
    for (const each of Array.isArray(given) ? given : [given]) if (typeof each?.type === "string") found.push(each.type);
  }
  return found.join(" OR ") || "none named";
}

/** How often each is there: the most frequent ones first, equals in alphabetical order. */
function tallyOf(words: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const word of words.toSorted(order)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

if (isMain(import.meta.url)) {
  const started = performance.now();
  const totals = readSequentially(process.argv[2] ?? "node_modules");
  console.log(JSON.stringify(totals, null, 2));
  console.error(`${Math.round(performance.now() - started)} ms`);
}
