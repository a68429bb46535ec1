import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { membersOf } from "./support.ts";

/** Programs in processes of their own: how they end, and what of their children is left then. */
const folder = mkdtempSync(join(tmpdir(), "tsyncio-test-"));
const source = (name: string): string => join(import.meta.dirname, "../../src", name);

beforeAll(async () => {
  const entries = ["index.ts", "subprocess/index.ts"].map((name) => `export * from ${JSON.stringify(source(name))};`);
  await build({
    stdin: { contents: entries.join("\n"), resolveDir: folder },
    bundle: true,
    platform: "node",
    format: "esm",
    alias: { "#host": source("hosts/node.ts") },
    outfile: join(folder, "library.mjs"),
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program, which prints the pid of each of its children; `whenReady` is called with it after the first line. */
async function play(code: string, whenReady: (send: (signal: NodeJS.Signals) => void) => void = () => {}) {
  const file = join(folder, "program.mjs");
  writeFileSync(
    file,
    `import { createSubprocessExec, createSubprocessShell, run, sleep, PIPE } from "./library.mjs";\n${code}`,
  );
  const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  child.stdout.on("data", (data) => {
    if (stdout === "") whenReady((signal) => child.kill(signal));
    stdout += data;
  });
  const code_ = await new Promise((resolve) => child.on("close", resolve));
  const pids = stdout.split("\n").filter((line) => /^\d+$/.test(line));
  while (pids.some((pid) => membersOf(Number(pid)).length > 0)) await new Promise((resolve) => setTimeout(resolve, 5));
  return { code: code_, children: pids.length, stdout, stderr };
}

test("process.exit(), kills the children and all of their groups [real]", async () => {
  const end = await play(`run(function* () {
    const a = yield* createSubprocessShell("trap '' TERM; while :; do sleep 1; done");
    const b = yield* createSubprocessShell("sleep 60 & sleep 60");
    console.log(a.pid + "\\n" + b.pid);
    yield* sleep(20);
    process.exit(3);
  });`);

  expect(end).toMatchObject({ code: 3, children: 2, stderr: "" });
});

test("an error that nobody catches, kills the children [real]", async () => {
  const end = await play(`run(function* () {
    const child = yield* createSubprocessShell("sleep 60 & sleep 60");
    console.log(child.pid);
    setTimeout(() => { throw new Error("nobody catches me"); }, 20);
    yield* child.wait();
  });`);

  expect(end).toMatchObject({ code: 1, children: 1 });
  expect(end.stderr).toContain("nobody catches me");
});

test("SIGINT to a program in run(), stops its children in an orderly way [real]", async () => {
  const end = await play(
    `await run(function* () {
      const child = yield* createSubprocessShell("trap 'exit 4' TERM; while :; do sleep 0.01; done", { stdout: PIPE });
      console.log(child.pid);
      try { yield* child.wait(); } finally { process.on("exit", () => console.log("returncode", child.returncode)); }
    });`,
    (send) => setTimeout(() => send("SIGINT"), 50),
  );

  expect(end).toMatchObject({ code: 130, children: 1 });
  expect(end.stdout).toContain("returncode 4");
});

test("a program, ends when its main task does, whatever its children hold, and however long their grace [real]", async () => {
  const end = await play(`await run(function* () {
    const a = yield* createSubprocessShell("sleep 60 & exit 0", { stdout: PIPE, grace: "1h" });
    const b = yield* createSubprocessShell("sleep 60 | sleep 60", { stdin: PIPE, grace: "1h" });
    const c = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE, grace: Infinity });
    yield* a.wait();
    console.log([a.pid, b.pid, c.pid].join("\\n"));
  });
  console.log("over");`);

  expect(end).toMatchObject({ code: 0, children: 3, stderr: "" });
  expect(end.stdout).toContain("over");
});

test("a program without run(), ends by itself when its children have [real]", async () => {
  const end = await play(`const before = process.listenerCount("exit");
    const child = await createSubprocessExec("echo", ["hello"], { stdout: PIPE });
    console.log((await child.communicate()).stdout.toString(), child.returncode, process.listenerCount("exit") - before);`);

  expect(end).toMatchObject({ code: 0, stdout: "hello\n 0 0\n", stderr: "" });
});
