import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { transform } from "esbuild";
import { publint } from "publint";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PACKAGE, ROOT } from "./sources.ts";

// What npm would publish is packed once, from dist as it was built, and installed once into an empty project.

const execute = promisify(execFile);
let folder: string;
let project: string;
let tarball: string;
let packed: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsyncio-package-"));
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await execute("npm", args, { cwd: PACKAGE });
  const found: unknown = JSON.parse(stdout);
  // npm 12 gives an object by package name, earlier ones a list.
  const [report] = Object.values(found as object) as { filename: string; files: { path: string }[] }[];
  if (report === undefined) throw new Error(`Cannot read what npm packed: ${stdout}`);
  tarball = join(folder, report.filename);
  packed = report.files.map((file) => file.path);

  project = join(folder, "project");
  await mkdir(project);
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "guest", private: true, type: "module" }));
  await execute("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project });
}, 60_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("npm pack, takes dist, src, licence and readme, and nothing else [real]", () => {
  const outside = packed.filter((path) => !/^(dist|src)\/|^(LICENSE|README\.md|package\.json)$/.test(path));

  expect(outside).toEqual([]);
  expect(packed).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/index.d.ts", "src/index.ts"]));
  expect(packed).toEqual(expect.arrayContaining(["dist/web/hosts/node.js", "dist/web/hosts/web.js", "dist/hosts/node.d.ts"]));
  expect(packed).toEqual(expect.arrayContaining(["dist/node/index.js", "dist/node/testing.js", "dist/node/shared.js"]));
  expect(packed.filter((path) => /(^|\/)test\/|\.test\.|tsbuildinfo/.test(path))).toEqual([]);
});

test("npm pack, takes the compiled form and the types of every source [real]", () => {
  const compiled = packed.flatMap((path) => {
    const name = /^src\/(.*)\.ts$/.exec(path)?.[1];
    return name === undefined ? [] : [`dist/web/${name}.js`, `dist/${name}.d.ts`];
  });

  expect(compiled.length).toBeGreaterThan(60);
  expect(packed).toEqual(expect.arrayContaining(compiled));
});

test("publint, has nothing to say, when strict [real]", async () => {
  const bytes = await readFile(tarball);
  const data = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;

  const { messages } = await publint({ strict: true, pack: { tarball: data } });

  expect(messages).toEqual([]);
});

test("attw, finds the types right, for ESM-only packages [real]", async () => {
  const attw = join(ROOT, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const args = [attw, tarball, "--profile", "esm-only", "--format", "json", "--no-definitely-typed"];
  // It exits with 1 when there are problems; they are to be seen in the comparison.
  const { stdout } = await execute("node", args, { maxBuffer: 2 ** 26 }).catch((error: { stdout: string }) => error);
  const report = JSON.parse(stdout) as { analysis: { types: unknown; problems: { kind: string; resolutionKind?: string }[] } };

  const relevant = report.analysis.problems.filter(({ kind, resolutionKind }) => {
    const old = resolutionKind === "node10" || resolutionKind === "node16-cjs" || kind === "CJSResolvesToESM";
    return !old;
  });
  expect(report.analysis.types).toEqual({ kind: "included" });
  expect(relevant).toEqual([]);
});

const PROGRAM = `
import { type Coroutine, gather, Lock, type Operation, run, sleep } from "tsyncio";

const lock = new Lock();
const lines: string[] = [];
function* visit(name: string, delay: number): Coroutine<number> {
  yield* sleep(delay);
  using guard = yield* lock.acquire();
  lines.push(\`\${name} \${lock.locked()}\`);
  yield* sleep("1ms");
  return delay;
}
const pause: Operation<string> = sleep("1ms", "rested");
const result: [number, number, string] = await run(function* () {
  return yield* gather(visit("late", 10), visit("early", 1), pause);
});
const same: string = await run(async () => {
  await sleep(1);
  return "done";
});
// @ts-expect-error a duration's unit is checked
const wrong = () => sleep("1 fortnight");
console.log(JSON.stringify({ lines, result, same, lazy: typeof wrong }));
`;

test("the installed package, runs a program, with plain node [real]", async () => {
  const { code } = await transform(PROGRAM, { loader: "ts", target: "es2022" });
  await writeFile(join(project, "program.mjs"), code);

  const { stdout, stderr } = await execute("node", ["program.mjs"], { cwd: project });

  expect(JSON.parse(stdout)).toEqual({
    lines: ["early true", "late true"],
    result: [10, 1, "rested"],
    same: "done",
    lazy: "function",
  });
  expect(stderr).toBe("");
});

test("the installed package, is three files that share what they know, on plain node [real]", async () => {
  const program = `
    import { readFile } from "node:fs/promises";
    import * as library from "tsyncio";
    import { runTest } from "tsyncio/testing";
    await runTest(function* () { console.log(library.currentTask().name); });
    await library.run(() => library.createTask(() => library.currentTask().priority, { priority: 3 })).then(console.log);
    for (const entry of ["tsyncio", "tsyncio/testing"]) {
      const text = await readFile(new URL(import.meta.resolve(entry)), "utf8");
      console.log(entry, ...new Set(text.match(/(?<=from ")[^"]*(?=")/g)));
    }
    const modules = await import(new URL("../web/index.js", import.meta.resolve("tsyncio")));
    console.log(Object.keys(modules).filter((name) => !(name in library)).length, Object.keys(library).length > 60);`;
  await writeFile(join(project, "joined.mjs"), program);

  const { stdout, stderr } = await execute("node", ["joined.mjs"], { cwd: project });

  expect(stdout.split("\n").slice(0, -1)).toEqual([
    "main",
    "3",
    "tsyncio ./shared.js",
    "tsyncio/testing ./shared.js",
    "0 true",
  ]);
  // The modules beside them are a copy of their own, and say so.
  expect(stderr).toMatch(/^tsyncio is loaded twice in this process/);
});

test("the joined files, rename no class, because messages show their names [real]", async () => {
  for (const file of ["index", "shared", "testing"]) {
    const text = await readFile(join(PACKAGE, `dist/node/${file}.js`), "utf8");

    expect(text.match(/class \w+\$\d+|\w+\$\d+ = class.*/g) ?? [], "give them names of their own in src").toEqual([]);
    expect(text.match(/\bvar (\w+) = class (?!extends\b|\1\b)\w+/g) ?? []).toEqual([]);
  }
});

test("the readme's example, prints what the readme says, when installed [real]", async () => {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] as string;
  const printed = /It prints\n\n```text\n(.*?)```/s.exec(readme)?.[1];
  const { code } = await transform(example, { loader: "ts" });
  await writeFile(join(project, "readme.mjs"), code);

  const { stdout } = await execute("node", ["readme.mjs"], { cwd: project });

  expect(stdout).toBe(printed);
});

const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
const STRICT = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"];
const NODE = ["--types", "node", "--typeRoots", join(ROOT, "node_modules/@types")];
// The library's declarations are checked, too: skipLibCheck is off.
const KINDS = {
  nodenext: ["--module", "nodenext", "--target", "es2022", "--lib", "es2022,esnext.disposable", ...NODE],
  bundler: ["--module", "esnext", "--moduleResolution", "bundler", "--target", "esnext", ...NODE],
  "bundler without Node's types": [
    ...["--module", "preserve", "--moduleResolution", "bundler", "--target", "es2022"],
    ...["--lib", "es2023,dom,esnext.disposable", "--types", ""],
  ],
};

test.for(Object.entries(KINDS))("the installed types, check a program, under %s [real]", async ([, kind]) => {
  await writeFile(join(project, "program.ts"), PROGRAM);

  const { stdout } = await execute("node", [TSC, ...STRICT, ...kind, "program.ts"], { cwd: project }).catch(
    (error: { stdout: string }) => error,
  );

  expect(stdout).toBe("");
});

const OUTSIDE = `
import { type Coroutine, run } from "tsyncio";
import { fromPromise, readLines } from "tsyncio/interop";
import { openConnection, startServer, type Streams } from "tsyncio/net";
import { createSubprocessExec, PIPE, runProcess } from "tsyncio/subprocess";

function* echo({ reader, writer }: Streams): Coroutine<void> {
  const line: Buffer = yield* reader.readline();
  yield* writer.send(line);
}
await run(function* () {
  const server = yield* startServer(echo, "127.0.0.1", 0);
  const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
  yield* writer.send("hello\\n");
  const text: string = (yield* reader.readline()).toString();
  writer.close();
  yield* server.shutdown();
  const cat = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
  const { stdout } = yield* cat.communicate(text);
  const echoed: string = (yield* runProcess("echo", ["done"], { encoding: "utf8" })).stdout;
  const line = yield* readLines("program.ts").next();
  const first: string = line.done ? "" : line.value;
  const aborted: boolean = yield* fromPromise((signal) => Promise.resolve(signal.aborted));
  console.log(JSON.stringify([text, stdout.toString(), echoed, first, aborted]));
});
`;

test.for(["nodenext", "bundler"] as const)(
  "the installed types of the entries for Node, check a program, under %s [real]",
  async (kind) => {
    await writeFile(join(project, "program.ts"), OUTSIDE);

    const { stdout } = await execute("node", [TSC, ...STRICT, ...KINDS[kind], "program.ts"], { cwd: project }).catch(
      (error: { stdout: string }) => error,
    );

    expect(stdout).toBe("");
  },
);

test("the installed entries for Node, run a program, with plain node [real]", async () => {
  const { code } = await transform(OUTSIDE, { loader: "ts", target: "es2022" });
  await writeFile(join(project, "program.ts"), OUTSIDE);
  await writeFile(join(project, "outside.mjs"), code);

  const { stdout, stderr } = await execute("node", ["outside.mjs"], { cwd: project });

  expect(JSON.parse(stdout)).toEqual(["hello\n", "hello\n", "done\n", "", false]);
  expect(stderr).toBe("");
});
