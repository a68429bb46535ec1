/** Measures the workloads: rows of figures, one for each column. */

import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { MemorySample, TimeSample } from "./child.ts";
import { type Column, commandOf } from "./columns.ts";
import { WORKLOADS } from "./folders.ts";
import type { Options } from "./options.ts";
import { type Gap, runJson, takeTurns } from "./process.ts";
import { type Figure, figureOf, median } from "./statistics.ts";
import type { Workload } from "./workload.ts";

/** A row of the tables. */
export interface Row {
  /** Unique: `lock`, `sleepers 1M CPU`. */
  readonly name: string;
  /** Rows with the same unit make a table. */
  readonly unit: string;
  /** By the column's id. */
  readonly figures: ReadonlyMap<string, Figure>;
  /** It is what is left of two figures, and may be next to nothing: ratios of it say nothing. */
  readonly isDifference?: boolean;
}

export const NANOSECONDS = "ns per operation";

/** All workloads of the folder, by name. */
export async function loadWorkloads(): Promise<ReadonlyMap<string, Workload>> {
  const files = (await readdir(WORKLOADS)).filter((file) => file.endsWith(".js")).sort();
  const workloads = new Map<string, Workload>();
  for (const file of files) {
    const { default: workload }: { default: Workload } = await import(pathToFileURL(join(WORKLOADS, file)).href);
    if (workload.name !== basename(file, ".js"))
      throw new Error(`Expected the workload of ${file} to have its file's name, got ${workload.name}`);
    workloads.set(workload.name, workload);
  }
  return workloads;
}

/** The rows of a workload: one, or one for each size and quantity where memory is measured. */
export async function measureWorkload(
  workload: Workload,
  columns: readonly Column[],
  options: Pick<Options, "rounds" | "batch">,
  gaps: Gap[],
): Promise<Row[]> {
  return workload.measures === "time"
    ? [await measureTime(workload, columns, options, gaps)]
    : measureMemory(workload, columns, options.rounds, gaps);
}

async function measureTime(
  workload: Workload,
  columns: readonly Column[],
  { rounds, batch }: Pick<Options, "rounds" | "batch">,
  gaps: Gap[],
): Promise<Row> {
  const turns = turnsOf<TimeSample>(workload, columns, "time", String(batch));
  const results = await takeTurns(workload.name, turns, rounds, gaps);
  const figures = new Map([...results].map(([id, processes]) => [id, figureOf(processes.map(({ samples }) => samples))]));
  return { name: workload.name, unit: NANOSECONDS, figures };
}

/** CPU and bytes are what a process took beyond one with a single operation: the library and its runtime are not counted. */
async function measureMemory(workload: Workload, columns: readonly Column[], rounds: number, gaps: Gap[]): Promise<Row[]> {
  const measure = (name: string, size: number) =>
    takeTurns(name, turnsOf<MemorySample>(workload, columns, "memory", String(size)), rounds, gaps);
  const empty = await measure(`${workload.name} 1`, 1);
  const rows: Row[] = [];
  for (const size of workload.sizes ?? []) {
    const name = `${workload.name} ${shortSize(size)}`;
    const results = await measure(name, size);
    const row = (
      quantity: string,
      unit: string,
      value: (full: MemorySample, empty: readonly MemorySample[]) => number,
    ): Row => {
      const figures = new Map<string, Figure>();
      for (const [id, samples] of results) {
        const alone = empty.get(id);
        if (alone !== undefined) figures.set(id, figureOf(samples.map((sample) => [value(sample, alone)])));
      }
      return { name: `${name} ${quantity}`, unit, figures };
    };
    const beyond = (key: "cpu" | "peak") => (full: MemorySample, alone: readonly MemorySample[]) =>
      (full[key] - median(alone.map((sample) => sample[key]))) / size;
    rows.push(
      row("wall", "ms from start to end", ({ wall }) => wall),
      row("CPU", "µs of CPU per task", beyond("cpu")),
      row("memory", "bytes per task at the peak", beyond("peak")),
    );
  }
  return rows;
}

function turnsOf<T>(workload: Workload, columns: readonly Column[], ...args: readonly string[]) {
  return columns.flatMap((column) => {
    const command = commandOf(column, workload, ...args);
    return command === null ? [] : [{ column: column.id, measure: () => runJson<T>(command) }];
  });
}

/** `10k`, `1M`. */
function shortSize(size: number): string {
  return size % 1e6 === 0 ? `${size / 1e6}M` : size % 1e3 === 0 ? `${size / 1e3}k` : String(size);
}
