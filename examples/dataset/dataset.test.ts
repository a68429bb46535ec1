// The program against a file system in memory under virtual time, and against the disk, beside the plain sequential program.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { allTasks, type Coroutine, createTask, run, sleep } from "tsyncio";
import { cancelEverywhere, explore, runTest } from "tsyncio/testing";
import { expect, test } from "vitest";
import { Dataset } from "./dataset.ts";
import { diskFiles, FileProblem } from "./files.ts";
import { MemoryFiles } from "./memory-files.ts";
import { DEFAULTS, type Settings } from "./options.ts";
import type { Report } from "./report.ts";
import { sampleTree } from "./sample-tree.ts";
import { readSequentially } from "./sequential.ts";
import type { Totals } from "./totals.ts";

const MAIN = fileURLToPath(new URL("../dist/dataset/main.js", import.meta.url));
const PACKAGES = fileURLToPath(new URL("../../node_modules", import.meta.url));

function settings(given: Partial<Settings> = {}): Settings {
  return { ...DEFAULTS, open: 4, ahead: 16, memory: 64 * 1024, ...given };
}

/** Reads a tree in memory, in virtual time. */
function readInMemory(files: MemoryFiles, given: Partial<Settings> = {}): Promise<Dataset> {
  return runTest(function* () {
    const dataset = new Dataset(files, "/", settings(given));
    yield* dataset.run();
    expect(files.openNow).toBe(0);
    expect(allTasks().size).toBe(1);
    return dataset;
  });
}

async function wholeOf(tree: ReadonlyMap<string, string>): Promise<Totals> {
  return (await readInMemory(new MemoryFiles(tree))).tally.totals();
}

/** Whether each number of a partial result is at most that of the whole one. */
function expectWithin(part: Totals, whole: Totals): void {
  for (const kind of ["scripts", "manifests"] as const) {
    for (const unit of ["files", "bytes", "lines"] as const) expect(part[kind][unit]).toBeLessThanOrEqual(whole[kind][unit]);
  }
  for (const count of ["packages", "distinctPackages", "malformed"] as const) {
    expect(part[count]).toBeLessThanOrEqual(whole[count]);
  }
  for (const [licence, count] of Object.entries(part.licences)) {
    expect(count).toBeLessThanOrEqual(whole.licences[licence] ?? 0);
  }
  expect(Object.values(part.licences).reduce((a, b) => a + b, 0)).toBe(part.packages);
  expect(part.largest?.bytes ?? 0).toBeLessThanOrEqual(whole.largest?.bytes ?? 0);
  for (const problem of part.problems) expect(whole.problems).toContainEqual(problem);
}

async function onDisk(tree: ReadonlyMap<string, string>, use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "dataset-"));
  try {
    for (const [path, content] of tree) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("Dataset comes to the totals of the sequential program on a folder of hundreds of files [real]", {
  timeout: 60_000,
}, async () => {
  await onDisk(sampleTree(), async (folder) => {
    await symlink("..", join(folder, "p1", "up"));
    await symlink("last.js", join(folder, "p1", "link.js"));
    await symlink("../../p1/package.json", join(folder, "huge", "dist", "package.json"));
    const dataset = new Dataset(diskFiles, folder, settings());

    await run(dataset.run());

    const totals = dataset.tally.totals();
    expect(totals).toEqual(readSequentially(folder));
    expect(totals).toEqual(await wholeOf(sampleTree()));
    expect(dataset.stoppedBy).toBeNull();
    // Numbers that are known without either program.
    expect(totals.manifests.files).toBe(88);
    expect(totals).toMatchObject({ packages: 46, malformed: 2, problems: [], largest: { path: "huge", name: "huge" } });
    expect(totals.licences["MIT OR GPL-2.0"]).toBe(7);
  });
});

test("Dataset comes to the totals of the sequential program on a part of node_modules [real]", {
  timeout: 60_000,
}, async () => {
  const folder = join(PACKAGES, "@arethetypeswrong");
  const dataset = new Dataset(diskFiles, folder, DEFAULTS);

  await run(dataset.run());

  const totals = dataset.tally.totals();
  expect(totals.scripts.files).toBeGreaterThan(10);
  expect(totals).toEqual(readSequentially(folder));
});

test("Dataset gives partial totals that hold together when the deadline passes, whenever that is", {
  timeout: 60_000,
}, async () => {
  const tree = sampleTree(12);
  const whole = await wholeOf(tree);
  let files = 0;
  let partial = 0;
  for (let deadline = 0; ; deadline += 9) {
    const dataset = await readInMemory(new MemoryFiles(tree), { deadline });

    const part = dataset.tally.totals();
    expectWithin(part, whole);
    // A longer time never comes to less.
    expect(part.scripts.files + part.manifests.files).toBeGreaterThanOrEqual(files);
    files = part.scripts.files + part.manifests.files;
    if (dataset.stoppedBy === null) {
      expect(part).toEqual(whole);
      break;
    }
    expect(dataset.stoppedBy).toBe("deadline");
    partial++;
  }
  expect(partial).toBeGreaterThan(20);
});

for (const open of [1, 3, 8]) {
  test(`Dataset never has more than ${open} files open, and as many at some time, when that is the limit`, async () => {
    const files = new MemoryFiles(sampleTree(12));

    await readInMemory(files, { open });

    expect(files.mostOpen).toBe(open);
  });
}

test("Dataset holds no more than the memory it may have, unless a file alone is larger", async () => {
  const tree = sampleTree(12);
  const files = new MemoryFiles(tree);

  const dataset = await readInMemory(files, { open: 8, memory: 4 * 1024 });

  expect(files.mostHeldTogether).toBeLessThanOrEqual(4 * 1024);
  expect(files.mostHeldTogether).toBeGreaterThan(1024);
  expect(dataset.tally.totals()).toEqual(await wholeOf(tree));
});

test("Dataset lets the walk go no further ahead than it may, and asks for all of it in the end", async () => {
  await runTest(function* (t) {
    const dataset = new Dataset(new MemoryFiles(sampleTree(12)), "/", settings({ open: 2, ahead: 5 }));
    let most = 0;
    t.invariant(() => {
      const under = dataset.found - dataset.tally.scripts.files - dataset.tally.manifests.files;
      most = Math.max(most, under);
    });

    yield* dataset.run();

    // One more is found while the walk waits to be asked for it.
    expect(most).toBeGreaterThanOrEqual(5);
    expect(most).toBeLessThanOrEqual(6);
  });
});

test("Dataset reads a manifest before the scripts that wait already, and once for all of them", async () => {
  const scripts = Array.from({ length: 15 }, (_, number): [string, string] => [`p/${number}.js`, "x\n"]);
  const files = new MemoryFiles(new Map([...scripts, ["p/package.json", '{ "name": "p" }']]));

  const dataset = await readInMemory(files, { open: 1, ahead: 16 });

  const reads = files.opened.flatMap((path, index) => (path === "/p/package.json" ? index : []));
  expect(reads.length).toBe(1);
  expect(reads[0]).toBeLessThan(3);
  expect(dataset.lookups()).toMatchObject({ asked: 16, read: 1, calls: 1 });
});

test("Dataset tells of files that vanish, while they are opened or read, and goes on with the others", async () => {
  const tree = sampleTree(6);
  const files = new MemoryFiles(tree)
    .fail("open", "/p0/last.js", "ENOENT")
    .fail("read", "/p1/last.js", "ESTALE")
    .fail("open", "/p2/package.json", "ENOENT");

  const dataset = await readInMemory(files);

  const [whole, totals] = [await wholeOf(tree), dataset.tally.totals()];
  expect(totals.problems).toEqual([
    { path: "p0/last.js", code: "ENOENT" },
    { path: "p1/last.js", code: "ESTALE" },
    { path: "p2/package.json", code: "ENOENT" },
  ]);
  expect(totals.scripts.files).toBe(whole.scripts.files - 2);
  expect(totals.manifests.files).toBe(whole.manifests.files - 1);
  expect(totals.packages).toBe(whole.packages - 1);
  expect(dataset.stoppedBy).toBeNull();
  // It makes no sense to try again.
  expect(new Set(files.opened).size).toBe(files.opened.length);
});

test("Dataset tells of what it may not read, and gives scripts below an unreadable manifest to the package above", async () => {
  const tree = new Map([
    ["package.json", '{ "name": "root" }'],
    ["in/package.json", '{ "name": "inner" }'],
    ["in/a.js", "a\n".repeat(50)],
    ["closed/b.js", "b\n"],
  ]);
  const files = new MemoryFiles(tree).fail("open", "/in/package.json", "EACCES").fail("list", "/closed", "EACCES");

  const totals = (await readInMemory(files)).tally.totals();

  expect(totals.problems).toEqual([
    { path: "closed", code: "EACCES" },
    { path: "in/package.json", code: "EACCES" },
  ]);
  expect(totals.largest).toEqual({ path: ".", name: "root", bytes: 118 });
  expect(totals.scripts.files).toBe(1);
  expect(files.opened.filter((path) => path === "/in/package.json").length).toBe(1);
});

test("Dataset names the first in the alphabet when packages are equally large", async () => {
  const tree = new Map(["c", "a", "b"].map((name) => [`${name}/package.json`, `{ "name": "p-${name}" }`]));

  const totals = (await readInMemory(new MemoryFiles(tree))).tally.totals();

  expect(totals.largest).toEqual({ path: "a", name: "p-a", bytes: 17 });
});

test("Dataset tries again when a trouble passes, and gives up when it stays", async () => {
  const tree = sampleTree(6);
  const files = new MemoryFiles(tree).fail("open", "/p0/last.js", "EMFILE", 4).fail("read", "/p1/package.json", "EAGAIN", 2);

  const dataset = await readInMemory(files);
  const hopeless = new MemoryFiles(tree).fail("open", "/p0/last.js", "EMFILE");
  const { tally } = await readInMemory(hopeless);

  expect(dataset.tally.totals()).toEqual(await wholeOf(tree));
  expect(files.opened.filter((path) => path === "/p0/last.js").length).toBe(5);
  expect(tally.totals().problems).toEqual([{ path: "p0/last.js", code: "EMFILE" }]);
  expect(hopeless.opened.filter((path) => path === "/p0/last.js").length).toBe(5);
});

test("Dataset fails, with nothing left open, when the folder itself cannot be read or the program has a mistake", async () => {
  const files = new MemoryFiles(sampleTree(6)).fail("read", "/p2/last.js", "BUG");
  const failures: unknown[] = [];
  for (const each of [files, new MemoryFiles(new Map()).fail("list", "/", "EACCES")]) {
    await runTest(function* () {
      const dataset = new Dataset(each, "/", settings());
      try {
        yield* dataset.run();
      } catch (error) {
        failures.push(error);
      }
      expect(dataset.stoppedBy).toBe("error");
      expect(each.openNow).toBe(0);
      expect(allTasks().size).toBe(1);
    });
  }

  expect(failures).toEqual([new TypeError("a mistake"), new FileProblem("/", "EACCES", undefined)]);
});

test("Dataset closes all files and ends all tasks when it is cancelled, and its totals hold together", async () => {
  const tree = sampleTree(12);
  const whole = await wholeOf(tree);
  for (let time = 0; time < 200; time += 7) {
    const files = new MemoryFiles(tree);
    await runTest(function* () {
      const dataset = new Dataset(files, "/", settings());
      const task = createTask(dataset.run());
      yield* sleep(time);
      yield* task.cancelAndWait();

      expect(task.cancelled()).toBe(true);
      expect(dataset.stoppedBy).toBe("interrupt");
      expect(files.openNow).toBe(0);
      expect(allTasks().size).toBe(1);
      expectWithin(dataset.tally.totals(), whole);
    });
  }
});

test("Dataset ends a read that is under way when it is cancelled", async () => {
  const files = new MemoryFiles(new Map([["endless.js", "x".repeat(1_000_000)]]));
  await runTest(function* (t) {
    const task = createTask(new Dataset(files, "/", settings()).run());
    yield* sleep(100);
    expect(files.held).toBe(1_000_000);

    yield* task.cancelAndWait();

    // What it takes to close the file.
    expect(t.now()).toBeLessThan(110);
    expect(files.openNow).toBe(0);
  });
});

test("Dataset leaves nothing open when any of its tasks is cancelled before any step", {
  timeout: 60_000,
}, async () => {
  const tree = new Map([
    ["package.json", '{ "name": "root" }'],
    ["a.js", "a\n"],
    ["in/package.json", "{}"],
    ["in/b.js", "b\n"],
  ]);

  // The calls of the batcher serve several files: to end one of those is an error for all of them.
  const only = (name: string) => !/^(Batcher|manifest)/.test(name);
  const { complete, cancelled } = await cancelEverywhere(scenario(tree), { name: "dataset", only });

  expect(complete).toBe(true);
  expect(cancelled).toBeGreaterThan(50);
});

test("Dataset comes to the same totals in whatever order its tasks go on", { timeout: 60_000 }, async () => {
  const tree = sampleTree(2);
  const whole = await wholeOf(tree);

  const { runs } = await explore(scenario(tree, whole), { runs: 30, name: "dataset" });

  expect(runs).toBe(30);
});

function scenario(tree: ReadonlyMap<string, string>, whole?: Totals) {
  return function* (t: { atEnd(check: () => void): void }): Coroutine<void> {
    const files = new MemoryFiles(tree);
    t.atEnd(() => {
      if (files.openNow > 0 || files.held > 0) throw new Error(`${files.openNow} files are open still`);
    });
    const dataset = new Dataset(files, "/", settings({ open: 2, ahead: 3 }));
    yield* dataset.run();
    if (whole !== undefined) expect(dataset.tally.totals()).toEqual(whole);
  };
}

async function start(...args: string[]): Promise<{ code: number | null; signal: string | null; out: string; errors: string }> {
  return await startAndMeet(() => {}, ...args);
}

/** Runs the program; `meet` is called with each piece of what it writes to stderr. */
async function startAndMeet(meet: (kill: (signal: "SIGINT") => void) => void, ...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
    meet((signal) => child.kill(signal));
  });
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return { code, signal, out, errors };
  } finally {
    child.kill("SIGKILL");
  }
}

test("main reads thousands of files of node_modules, and the check confirms it [real]", { timeout: 120_000 }, async () => {
  const { code, out, errors } = await start("--check", "--json");

  const report = JSON.parse(out) as Report;
  expect(report).toMatchObject({ stoppedBy: null, confirmed: true, folder: PACKAGES.replace(/\/$/, "") });
  expect(report.scripts.files + report.manifests.files).toBe(report.found - report.problems.length);
  expect(report.found).toBeGreaterThan(1000);
  expect(report.lookups.read).toBeLessThan(report.lookups.asked / 5);
  expect(errors).toMatch(new RegExp(`100%.*\\b${report.found}/${report.found} files`));
  expect(code).toBe(0);
});

test("main prints what it has, marked as partial, and exits with 130 when SIGINT comes [real]", {
  timeout: 60_000,
}, async () => {
  // The first line of progress comes when the run begins.
  const { code, signal, out } = await startAndMeet((kill) => kill("SIGINT"), "--open", "1");

  expect({ code, signal, out }).toMatchObject({ code: 130, signal: null });
  expect(out).toMatch(/^ {2}files /m);
  expect(out).toContain("PARTIAL: interrupted");
});

test("main prints what it has and exits with 1 when the deadline passes [real]", { timeout: 60_000 }, async () => {
  const { code, out } = await start("--quiet", "--json", "--deadline", "1ms");

  const report = JSON.parse(out) as Report;
  expect(code).toBe(1);
  expect(report).toMatchObject({ stoppedBy: "deadline", confirmed: null });
  expect(report.scripts.files).toBeLessThanOrEqual(report.found);
});

test("main exits with 2 and says what is wrong when an option makes no sense [real]", { timeout: 60_000 }, async () => {
  for (const [args, message] of [
    [["--open", "0"], 'Expected --open to be a whole number of 1 or more, got "0"'],
    [["--deadline", "soon"], 'Expected --deadline to be a duration like 250ms, 1.5s or 2m, got "soon"'],
    [["--open", "9", "--ahead", "8"], "Expected --ahead to be at least --open, got 8 and 9"],
    [["nowhere"], 'Expected a folder, got "nowhere"'],
  ] as const) {
    const { code, errors } = await start(...args);

    expect(errors).toContain(message);
    expect(code).toBe(2);
  }
});
