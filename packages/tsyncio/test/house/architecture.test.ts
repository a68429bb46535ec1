import { transformSync } from "esbuild";
import { expect, test } from "vitest";
import { ENTRIES, NODE_ENTRIES, readSources, type Source, valueExports } from "./sources.ts";

const sources = readSources();

/** Who may import from which folders; "" is index.ts. What is not listed here has no place in src. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: ["base"],
  kernel: ["base", "kernel"],
  flow: ["base", "kernel", "flow"],
  sync: ["base", "kernel", "sync"],
  work: ["base", "kernel", "flow", "sync", "work"],
  inspect: ["base", "inspect"],
  hosts: ["base", "inspect", "hosts"],
  run: ["base", "kernel", "inspect", "run"],
  streams: ["base", "kernel", "flow", "sync", "streams"],
  interop: ["base", "kernel", "flow", "sync", "interop"],
  net: ["base", "kernel", "flow", "sync", "streams", "net"],
  subprocess: ["base", "kernel", "flow", "sync", "streams", "subprocess"],
  testing: ["base", "kernel", "flow", "sync", "inspect", "run", "testing"],
  "": ["base", "kernel", "flow", "sync", "work", "run"],
};
/** Of these folders, only types. */
const MAY_IMPORT_TYPES: Record<string, readonly string[]> = { hosts: ["kernel"], inspect: ["kernel"] };
/** These know of Node, but reach it through process.getBuiltinModule only. */
const NODE_TYPES = ["hosts", "testing", "interop"];
/** These are for Node. */
const FOR_NODE = ["streams", "net", "subprocess"];
const HOST_DOOR = ["kernel", "testing"];
const LONGEST = 650;
/** It says so itself, or is the twin of a function that does. */
const SUSPENDS = /\*\*Suspends\*\*|^\/\*\* As \{@link/;

test("src, has only the folders of the design, whatever is added", () => {
  const folders = new Set([...sources.values()].map((each) => each.folder));

  expect(sources.size).toBeGreaterThan(30);
  expect([...folders].filter((folder) => !(folder in MAY_IMPORT))).toEqual([]);
});

test("imports, go downward only, from folder to folder", () => {
  const wrong: string[] = [];
  for (const source of sources.values()) {
    const { folder, path } = source;
    for (const { target, typeOnly } of source.imports) {
      if (target.startsWith("node:") && typeOnly && NODE_TYPES.includes(folder)) continue;
      if (target.startsWith("node:") && FOR_NODE.includes(folder)) continue;
      if (target === "#host" && HOST_DOOR.includes(folder)) continue;
      const to = sources.get(target)?.folder;
      if (to !== undefined && MAY_IMPORT[folder]?.includes(to)) continue;
      if (to !== undefined && typeOnly && MAY_IMPORT_TYPES[folder]?.includes(to)) continue;
      wrong.push(`${path} imports ${target}`);
    }
  }

  expect(wrong).toEqual([]);
});

test("imports of values, make no cycle, over the whole of src", () => {
  expect(findCycle([...sources.keys()], valueTargets)).toBeNull();
});

test("findCycle(), finds a ring, where there is one", () => {
  const edges: Record<string, string[]> = { a: ["b"], b: ["c", "d"], c: [], d: ["b"] };

  expect(findCycle(Object.keys(edges), (node) => edges[node] as string[])).toEqual(["b", "d", "b"]);
});

test("the portable entries, reach no Node module, statically or by import()", () => {
  const seen = new Set<string>();
  const outside: string[] = [];
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const target of valueTargets(path)) {
      if (sources.has(target)) visit(target);
      else outside.push(`${path} imports ${target}`);
    }
  };
  for (const entry of ENTRIES) if (!NODE_ENTRIES.includes(entry)) visit(entry);

  expect(seen).toContain("hosts/node.ts");
  expect(outside).toEqual([]);
  // What the text shows as a type must be gone when a compiler has stripped the types.
  for (const path of seen) expect(stripped(path), path).not.toMatch(/\bimport\(|\brequire\(|["']node:[^"']*["']\s*;?\s*$/m);
});

test(`files, have at most ${LONGEST} lines, each`, () => {
  const long = [...sources.values()].filter((each) => each.text.split("\n").length - 1 > LONGEST);

  expect(long.map((each) => each.path)).toEqual([]);
});

test("exports of the entries, have a doc comment in their source, if they are values", () => {
  const missing = valueExports(sources).filter((each) => docsOf(each.source, each.name).length === 0);

  expect(missing).toEqual([]);
});

test("exported functions, tell in their doc comment whether they suspend, each", () => {
  const silent = valueExports(sources).filter(({ name, source }) => {
    const isFunction = new RegExp(`^export (?:async )?function\\*? ${name}\\b`, "m").test(textOf(source));
    return isFunction && !isPredicate(source, name) && !docsOf(source, name).some((doc) => SUSPENDS.test(doc));
  });

  expect(silent.map((each) => each.name)).toEqual([]);
});

function textOf(path: string): string {
  return (sources.get(path) as Source).text;
}

/** The doc comments right before the declarations of a name; an interface and a const of one name may share one. */
function docsOf(path: string, name: string): string[] {
  const before = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/)\\nexport (?:abstract |async )?(?:function\\*?|class|const|interface) ${name}\\b`,
    "g",
  );
  return [...textOf(path).matchAll(before)].map((match) => match[1] as string);
}

/** A type guard answers at once, and its name says all. */
function isPredicate(path: string, name: string): boolean {
  return new RegExp(`function ${name}\\b[^{]*\\): \\w+ is `).test(textOf(path));
}

function valueTargets(path: string): string[] {
  return (sources.get(path) as Source).imports
    .filter((each) => !each.typeOnly)
    .flatMap((each) => (each.target === "#host" ? ["hosts/node.ts", "hosts/web.ts"] : [each.target]));
}

/** The code that is left of a file when types and comments are gone. */
function stripped(path: string): string {
  return transformSync(textOf(path), { loader: "ts", format: "esm", minifyWhitespace: true, legalComments: "none" }).code;
}

/** A ring among nodes, as a path from a node to itself; null if there is none. */
function findCycle(nodes: string[], next: (node: string) => string[]): string[] | null {
  const settled = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | null => {
    const start = path.indexOf(node);
    if (start >= 0) return [...path.slice(start), node];
    if (settled.has(node) || !nodes.includes(node)) return null;
    path.push(node);
    for (const each of next(node)) {
      const cycle = visit(each);
      if (cycle !== null) return cycle;
    }
    path.pop();
    settled.add(node);
    return null;
  };
  for (const node of nodes) {
    const cycle = visit(node);
    if (cycle !== null) return cycle;
  }
  return null;
}
