/** The columns: which peers there are on this machine, and how a process of theirs is started. */

import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { BENCH, CACHE, CHILD } from "./folders.ts";
import type { NODES, Options } from "./options.ts";
import { runProcess } from "./process.ts";
import type { Peer, ScriptPeer, Workload } from "./workload.ts";

/** What runs a column. */
export interface Runtime {
  readonly language: "node" | "python" | "go";
  /** The program. */
  readonly command: string;
  readonly version: string;
}

export interface Column {
  readonly peer: Peer;
  readonly runtime: Runtime;
  /** `native-20` on Node 20, `asyncio` on Python. */
  readonly id: string;
}

/** Why a peer has no column. */
export interface Missing {
  readonly peer: string;
  readonly reason: string;
}

/** The columns that were asked for, with those that cannot be had on this machine. */
export async function findColumns({ peers, nodes, python }: Options): Promise<{ columns: Column[]; missing: Missing[] }> {
  const columns: Column[] = [];
  const missing: Missing[] = [];
  const add = (peer: Peer, runtime: Runtime, id: string = peer) => columns.push({ peer, runtime, id });
  const attempt = async (peer: string, find: () => Promise<unknown>) => {
    try {
      await find();
    } catch (error) {
      missing.push({ peer, reason: (error as Error).message });
    }
  };

  const scripts = peers.filter(isScript);
  for (const which of nodes) {
    await attempt(`${which} Node`, async () => {
      const runtime = await findNode(which);
      for (const peer of scripts) {
        const id = `${peer}-${majorOf(runtime)}`;
        if (!columns.some((column) => column.id === id)) add(peer, runtime, id);
      }
    });
  }
  for (const peer of peers) {
    if (peer === "asyncio" || peer === "uvloop" || peer === "trio")
      await attempt(peer, async () => add(peer, await findPython(python, peer)));
    if (peer === "go") await attempt(peer, async () => add(peer, await buildGo()));
  }
  return { columns, missing };
}

/** The command of a process for one figure; null where the peer has no part in the workload. */
export function commandOf({ peer, runtime }: Column, { name, peers }: Workload, ...args: readonly string[]): string[] | null {
  if (isScript(peer)) {
    const takesPart = (peer === "native-als" ? "native" : peer) in peers;
    return takesPart ? [runtime.command, CHILD, name, peer, ...args] : null;
  }
  const file = join(BENCH, "workloads", `${name}.${runtime.language === "go" ? "go" : "py"}`);
  if (!existsSync(file)) return null;
  if (runtime.language === "go") return [runtime.command, name, peer, ...args];
  const main = peer === "trio" ? "trio_main" : "asyncio_main";
  if (!readFileSync(file, "utf8").includes(`async def ${main}(`)) return null;
  return [runtime.command, join(BENCH, "src/child.py"), file, peer, ...args];
}

/** `20`, of v20.20.2. */
export function majorOf({ version }: Runtime): string {
  return /\d+/.exec(version)?.[0] ?? version;
}

function isScript(peer: Peer): peer is ScriptPeer {
  return peer !== "asyncio" && peer !== "uvloop" && peer !== "trio" && peer !== "go";
}

async function findNode(which: (typeof NODES)[number]): Promise<Runtime> {
  const command = which === "this" ? process.execPath : await installNode();
  return { language: "node", command, version: await firstLine([command, "--version"]) };
}

/** The newest Node, from the npm registry, in a folder that is kept; what is there is used where the registry cannot be reached. */
async function installNode(): Promise<string> {
  const folder = join(CACHE, "node");
  const command = join(folder, "node_modules/.bin/node");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), `{ "private": true }`);
  const npm = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--foreground-scripts", "node@latest"];
  await runProcess(npm, 300_000).catch((error) => {
    if (!existsSync(command)) throw error;
  });
  return command;
}

/** Asks for the program itself, since `python3` may be a script that looks for it, which takes time at each start. */
async function findPython(python: string, peer: "asyncio" | "uvloop" | "trio"): Promise<Runtime> {
  const [command = "", version = ""] = (
    await runProcess([python, "-c", "import sys, platform; print(sys.executable); print(platform.python_version())"])
  ).stdout.split("\n");
  if (peer === "asyncio") return { language: "python", command, version };
  const own = await firstLine([command, "-c", `import ${peer}; print(${peer}.__version__)`]);
  return { language: "python", command, version: `${version}, ${peer} ${own}` };
}

/** One program of all the workloads' files and child.go, built anew for each run. */
async function buildGo(): Promise<Runtime> {
  const version = await firstLine(["go", "version"]);
  const folder = join(CACHE, "go");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const workloads = (await readdir(join(BENCH, "workloads"))).filter((file) => file.endsWith(".go"));
  // Go builds only files that are in one folder.
  const files: string[] = [];
  for (const file of ["src/child.go", ...workloads.map((name) => `workloads/${name}`)]) {
    files.push(join(folder, basename(file)));
    await cp(join(BENCH, file), join(folder, basename(file)));
  }
  const command = join(folder, "bench");
  await runProcess(["go", "build", "-o", command, ...files]);
  return { language: "go", command, version: /go(\d\S*)/.exec(version)?.[1] ?? version };
}

async function firstLine(command: readonly string[]): Promise<string> {
  return (await runProcess(command)).stdout.trim().split("\n", 1)[0] ?? "";
}
