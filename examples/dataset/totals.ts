// The result, and how it is added up. A file is added in one step, with all that it counts for, so the sums are right at any moment.

import type { FileProblem } from "./files.ts";
import type { Manifest } from "./manifest.ts";

export interface Amount {
  files: number;
  bytes: number;
  lines: number;
}

export interface PackageSize {
  /** Where it is, below the folder that was read. */
  path: string;
  name: string;
  /** Of its manifest and its scripts. */
  bytes: number;
}

/** What both programs come to: the same for the same folder, in whatever order its files were read. */
export interface Totals {
  scripts: Amount;
  manifests: Amount;
  /** Copies of packages: a package that is there twice counts twice. */
  packages: number;
  /** Copies not counted. */
  distinctPackages: number;
  /** How many packages, by licence: the most frequent ones first. */
  licences: Record<string, number>;
  /** How many packages want one, by its name: the ten that are wanted most. */
  wanted: Record<string, number>;
  largest: PackageSize | null;
  /** Manifests that are no JSON object. */
  malformed: number;
  /** What could not be read, and why. */
  problems: { path: string; code: string }[];
}

export class Tally {
  readonly scripts: Amount = { files: 0, bytes: 0, lines: 0 };
  readonly manifests: Amount = { files: 0, bytes: 0, lines: 0 };
  readonly #packages = new Map<string, PackageSize>();
  readonly #names = new Set<string>();
  readonly #licences = new Map<string, number>();
  readonly #wanted = new Map<string, number>();
  readonly #problems: { path: string; code: string }[] = [];
  readonly #relative: (path: string) => string;
  #copies = 0;
  #malformed = 0;

  /** @param relative - Makes paths those that are reported. */
  constructor(relative: (path: string) => string) {
    this.#relative = relative;
  }

  addManifest(manifest: Manifest, folder: string, bytes: number, lines: number): void {
    add(this.manifests, bytes, lines);
    if (!manifest.sound) this.#malformed++;
    const { name, version, licence, dependencies } = manifest;
    if (name === undefined) return;
    this.#copies++;
    this.#names.add(`${name}@${version}`);
    countIn(this.#licences, licence);
    for (const each of dependencies) countIn(this.#wanted, each);
    this.#grow(folder, name, bytes);
  }

  /** @param owner - The package that it belongs to, if any. */
  addScript(owner: { readonly folder: string; readonly name: string } | null, bytes: number, lines: number): void {
    add(this.scripts, bytes, lines);
    if (owner !== null) this.#grow(owner.folder, owner.name, bytes);
  }

  addProblem({ path, code }: FileProblem): void {
    this.#problems.push({ path: this.#relative(path), code });
  }

  #grow(folder: string, name: string, bytes: number): void {
    let known = this.#packages.get(folder);
    if (known === undefined) {
      known = { path: this.#relative(folder), name, bytes: 0 };
      this.#packages.set(folder, known);
    }
    known.bytes += bytes;
  }

  totals(): Totals {
    let largest: PackageSize | null = null;
    for (const each of this.#packages.values()) {
      const bigger = largest === null || each.bytes > largest.bytes;
      if (bigger || (each.bytes === largest?.bytes && each.path < largest.path)) largest = each;
    }
    return {
      scripts: { ...this.scripts },
      manifests: { ...this.manifests },
      packages: this.#copies,
      distinctPackages: this.#names.size,
      licences: ranking(this.#licences),
      wanted: ranking(this.#wanted, 10),
      largest: largest && { ...largest },
      malformed: this.#malformed,
      problems: this.#problems.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    };
  }
}

/** A last line without an end of line counts, too. */
export function countLines(bytes: Uint8Array): number {
  if (bytes.length === 0) return 0;
  let lines = bytes.at(-1) === NEW_LINE ? 0 : 1;
  for (let at = bytes.indexOf(NEW_LINE); at >= 0; at = bytes.indexOf(NEW_LINE, at + 1)) lines++;
  return lines;
}

const NEW_LINE = 10;

function add(amount: Amount, bytes: number, lines: number): void {
  amount.files++;
  amount.bytes += bytes;
  amount.lines += lines;
}

function countIn(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The highest first; of equals, in alphabetical order. */
function ranking(counts: ReadonlyMap<string, number>, length?: number): Record<string, number> {
  const ranked = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return Object.fromEntries(ranked.slice(0, length));
}
