/** Reads the library's sources as text, for the tests about the house itself. */

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** packages/tsyncio */
export const PACKAGE: string = fileURLToPath(new URL("../..", import.meta.url));
/** The root of the repository. */
export const ROOT: string = fileURLToPath(new URL("../../../..", import.meta.url));
const SRC = join(PACKAGE, "src");

export interface Import {
  /** A file of src such as `kernel/loop.ts`, or what stands in the source: `#host`, `node:fs`. */
  readonly target: string;
  /** Gone when the types are stripped. */
  readonly typeOnly: boolean;
}

export interface Source {
  /** Relative to src, with slashes: `kernel/loop.ts`. */
  readonly path: string;
  /** The first part of the path; empty for index.ts. */
  readonly folder: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

/** All files of src, by path. */
export function readSources(): Map<string, Source> {
  const files = new Map<string, Source>();
  for (const entry of readdirSync(SRC, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
    const full = join(entry.parentPath, entry.name);
    const path = relative(SRC, full).split(sep).join("/");
    const text = readFileSync(full, "utf8");
    files.set(path, {
      path,
      folder: path.includes("/") ? (path.split("/")[0] as string) : "",
      text,
      imports: importsOf(path, text),
    });
  }
  return files;
}

// Declarations stand at the start of a line; those in doc examples stand behind a star.
const DECLARATION = /^(?:import|export)\s+(type\s+)?(?:\*(?:\s+as\s+\w+)?|\w+|(?:\w+\s*,\s*)?\{[^}]*\})\s+from\s+"([^"]+)"/gm;
const BARE = /^import\s+"([^"]+)"/gm;
const CALL = /\bimport\(\s*"([^"]+)"\s*\)/g;

function importsOf(path: string, text: string): Import[] {
  const resolve = (target: string): string => (target.startsWith(".") ? posix.join(dirname(path), target) : target);
  const imports: Import[] = [];
  // `import { type A } from` is kept by verbatimModuleSyntax, as an import for effect: only `import type` is type-only.
  for (const [, type, target] of text.matchAll(DECLARATION)) {
    imports.push({ target: resolve(target as string), typeOnly: type !== undefined });
  }
  for (const [, target] of text.matchAll(BARE)) imports.push({ target: resolve(target as string), typeOnly: false });
  const code = text.replaceAll(/^\s*(?:\*|\/\*\*|\/\/).*$/gm, "");
  for (const call of code.matchAll(CALL)) {
    const after = code.slice(call.index + call[0].length);
    // In a type, a name of the module follows; of a promise, only its methods can be.
    const typeOnly = /^\s*\.(?!then\b|catch\b|finally\b)/.test(after) || /\btypeof\s*$/.test(code.slice(0, call.index));
    imports.push({ target: resolve(call[1] as string), typeOnly });
  }
  return imports;
}

export interface Export {
  readonly name: string;
  /** The file of src that declares it. */
  readonly source: string;
}

/** The entries of the package. */
export const ENTRIES = ["index.ts", "interop/index.ts", "net/index.ts", "subprocess/index.ts", "testing/index.ts"];
/** Those that are for Node, Bun and Deno alone. */
export const NODE_ENTRIES = ["net/index.ts", "subprocess/index.ts"];

/** What the entries export besides types. */
export function valueExports(sources: Map<string, Source>): Export[] {
  const origin = (each: Export): Export => {
    const again = exportsOf(sources.get(each.source) as Source).find(({ name }) => name === each.name);
    return again === undefined ? each : origin(again);
  };
  return ENTRIES.flatMap((entry) => exportsOf(sources.get(entry) as Source)).map(origin);
}

function exportsOf({ path, text }: Source): Export[] {
  const found: Export[] = [];
  for (const [, names, from] of text.matchAll(/^export\s+\{([^}]*)\}\s+from\s+"\.\/([^"]+)"/gm)) {
    for (const each of (names as string).split(",").map((name) => name.trim())) {
      if (each === "" || each.startsWith("type ")) continue;
      const [name, alias] = each.split(/\s+as\s+/) as [string, string?];
      found.push({ name: name ?? alias, source: posix.join(dirname(path), from as string) });
    }
  }
  return found;
}
