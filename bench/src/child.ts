/**
 * One process for one figure. Prints what it measured as a line of JSON; child.py and child.go take the same arguments and print
 * the same.
 *
 *   child.js WORKLOAD PEER time BATCH    ns per operation; a batch lasts at least BATCH ms
 *   child.js WORKLOAD PEER memory SIZE   one call with this size
 *   child.js WORKLOAD PEER count N TIMES calls of N operations, for a counter of instructions outside of this process
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { readFileSync } from "node:fs";
import type { Run, ScriptPeer, Workload } from "./workload.ts";

/** What is printed in the mode `time`: ns per operation, for each batch of `n`. */
export interface TimeSample {
  readonly n: number;
  readonly samples: readonly number[];
}

/** What is printed in the mode `memory`: `wall` is of the call, `cpu` and `peak` of the whole process. */
export interface MemorySample {
  /** Milliseconds. */
  readonly wall: number;
  /** Microseconds, user and system. */
  readonly cpu: number;
  /** Bytes. */
  readonly peak: number;
}

/** Batches that are kept. */
const SAMPLES = 5;
/** How far two batches in a row may differ when the code is warm, and how many batches are waited for that. */
const SETTLED = 0.03;
const PATIENCE = 10;

/** Warms up by doubling `n` until a batch is long enough and no longer gets faster, then takes the samples. */
async function time(run: Run, batch: number): Promise<TimeSample> {
  let n = 1;
  let before = Number.NaN;
  for (let long = 0; long < PATIENCE; ) {
    const ms = await lasts(run, n);
    const settled = Math.abs(ms / n - before) <= SETTLED * before;
    before = ms / n;
    if (ms < batch) n *= 2;
    else if (settled) break;
    else long++;
  }
  const samples: number[] = [];
  while (samples.length < SAMPLES) samples.push(((await lasts(run, n)) * 1e6) / n);
  return { n, samples };
}

async function lasts(run: Run, n: number): Promise<number> {
  // Whatever the batch before left to the host is done outside of this one.
  await new Promise((resolve) => setImmediate(resolve));
  const start = performance.now();
  await run(n);
  return performance.now() - start;
}

async function memory(run: Run, size: number): Promise<MemorySample> {
  const wall = await lasts(run, size);
  const { user, system } = process.cpuUsage();
  return { wall, cpu: user + system, peak: peak() };
}

/** The most memory this process had. Linux's maxRSS begins with that of the process that started this one, so VmHWM is read there. */
function peak(): number {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS * 1024;
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}

/** The clock steps at each look, as if that took 50 ns: a loop that lets the host run every few ms does so at the same steps each time. */
async function count(run: Run, n: number, times: number): Promise<{ n: number }> {
  let now = performance.now();
  performance.now = () => {
    now += 5e-5;
    return now;
  };
  for (let i = 0; i < times; i++) await run(n);
  return { n };
}

async function main([name, peer, mode, ...numbers]: readonly string[]): Promise<unknown> {
  const { default: workload }: { default: Workload } = await import(new URL(`../workloads/${name}.js`, import.meta.url).href);
  const inside = peer === "native-als";
  const load = workload.peers[inside ? "native" : (peer as Exclude<ScriptPeer, "native-als">)];
  if (load === undefined) throw new RangeError(`The workload ${name} has no ${peer}`);
  const run = await load();
  const [first = 0, second = 0] = numbers.map(Number);
  const measure = () =>
    mode === "time" ? time(run, first) : mode === "memory" ? memory(run, first) : count(run, first, second);
  return inside ? new AsyncLocalStorage().run({}, measure) : measure();
}

const result = await main(process.argv.slice(2));
// Not at the end of all work: a library may hold the process open.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
