/** Counts the instructions of processes, which a busy machine does not change as it changes time. */

import { runProcess } from "./process.ts";

/** Runs a command, and tells how many instructions of its own it took. */
export type Counter = (command: readonly string[]) => Promise<number>;

/** Calls in the shorter of the two processes, in which the code gets warm, and those that the longer one has more. */
const WARM = 4;
const COUNTED = 8;
/** Under valgrind a process is fifty times slower. */
const TIMEOUT = 900_000;

/** With V8's own threads, random numbers and clock, no two runs would be alike; with these, two differ by less than 1 %. */
const STEADY = ["--predictable", "--predictable-gc-schedule", "--hash-seed=1", "--random-seed=1"];

/**
 * What can count on this machine: the processor's own counter by `perf`, or else `valgrind`.
 *
 * @throws An error that tells why neither can.
 */
export async function findCounter(): Promise<{ name: string; count: Counter }> {
  const counters = { perf: byPerf, valgrind: byValgrind };
  const reasons: string[] = [];
  for (const [name, count] of Object.entries(counters)) {
    try {
      await count(["true"]);
      return { name, count };
    } catch (error) {
      reasons.push(`${name}: ${(error as Error).message}`);
    }
  }
  throw new Error(`Nothing here can count instructions: ${reasons.join("; ")}`);
}

/** Instructions for each of `n` operations: what a process takes more than one that does fewer calls, so start and warm-up drop out. */
export async function instructionsOf(count: Counter, child: readonly string[], workload: string, n: number): Promise<number> {
  const [node = "", ...rest] = child;
  const total = (times: number) => count([node, ...STEADY, ...rest, workload, "tsyncio", "count", String(n), String(times)]);
  const short = await total(WARM);
  return ((await total(WARM + COUNTED)) - short) / (COUNTED * n);
}

async function byPerf(command: readonly string[]): Promise<number> {
  const { stderr } = await runProcess(["perf", "stat", "-x", ",", "-e", "instructions:u", "--", ...command], TIMEOUT);
  const counted = /^(\d+),.*instructions/m.exec(stderr)?.[1];
  if (counted === undefined) throw new Error("the processor's counter is not supported here");
  return Number(counted);
}

async function byValgrind(command: readonly string[]): Promise<number> {
  // V8 writes machine code while it runs, of which valgrind has to be told.
  const options = ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--smc-check=all-non-file"];
  const { stderr } = await runProcess(["valgrind", ...options, ...command], TIMEOUT);
  const counted = /Collected : (\d+)/.exec(stderr)?.[1];
  if (counted === undefined) throw new Error("valgrind tells no count");
  return Number(counted);
}
