/** What the figures were measured on. */

import { readFile } from "node:fs/promises";
import { cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import type { Column } from "./columns.ts";
import { ROOT } from "./folders.ts";
import { runProcess } from "./process.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly gibibytes: number;
  readonly os: string;
  readonly date: string;
  /** With a plus where files have been changed since. */
  readonly commit: string;
  /** By the column's id. */
  readonly runtimes: Readonly<Record<string, string>>;
  /** npm packages. */
  readonly libraries: Readonly<Record<string, string>>;
}

const LIBRARIES = ["effect", "effection", "p-limit", "p-queue", "p-map", "async-mutex", "dataloader", "bluebird", "rxjs"];

export async function describeMachine(columns: readonly Column[]): Promise<Machine> {
  const libraries: Record<string, string> = {};
  for (const name of LIBRARIES) if (columns.some(({ peer }) => peer === name)) libraries[name] = await versionOf(name);
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    gibibytes: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    date: new Date().toISOString(),
    commit: await commit(),
    runtimes: Object.fromEntries(columns.map(({ id, runtime }) => [id, `${runtime.language} ${runtime.version}`])),
    libraries,
  };
}

/** Two lines for people. */
export function formatMachine({ cpu, cores, gibibytes, os, date, commit, runtimes, libraries }: Machine): string {
  const versions = [...new Set(Object.values(runtimes)), ...Object.entries(libraries).map((entry) => entry.join(" "))];
  return [`${cpu}, ${cores} cores, ${gibibytes} GiB, ${os}; ${date.slice(0, 10)}, commit ${commit}`, versions.join("; ")].join(
    "\n\n",
  );
}

/** Read from the folder of what an import gives, since not all packages export their package.json. */
async function versionOf(name: string): Promise<string> {
  const entry = fileURLToPath(import.meta.resolve(name)).replaceAll("\\", "/");
  const folder = entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`) + `/node_modules/${name}`.length);
  return (JSON.parse(await readFile(`${folder}/package.json`, "utf8")) as { version: string }).version;
}

async function commit(): Promise<string> {
  try {
    const { stdout } = await runProcess(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"]);
    const changed = (await runProcess(["git", "--no-optional-locks", "-C", ROOT, "status", "--porcelain"])).stdout !== "";
    return `${stdout.trim()}${changed ? "+" : ""}`;
  } catch {
    return "unknown";
  }
}
