/** Processes that are measured, and how they take turns. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** How long a figure's process may last: a million sleepers in trio take over a minute. */
const TIMEOUT = 180_000;

/** What the shell may have set up must not change what is measured; Go is compared on one thread. */
const ENVIRONMENT = {
  ...process.env,
  NODE_ENV: "production",
  NODE_OPTIONS: "",
  TSYNCIO_DEBUG: "",
  PYTHONASYNCIODEBUG: "",
  GOMAXPROCS: "1",
};

/** Why a figure is missing. */
export interface Gap {
  readonly row: string;
  readonly column: string;
  readonly reason: string;
}

/** A column's part in a row. */
export interface Turn<T> {
  readonly column: string;
  measure(): Promise<T>;
}

/**
 * Runs a command to its end.
 *
 * @throws An error whose message is a line that tells why it failed.
 */
export async function runProcess(command: readonly string[], timeout = TIMEOUT): Promise<{ stdout: string; stderr: string }> {
  const [file = "", ...args] = command;
  try {
    return await execute(file, args, { timeout, killSignal: "SIGKILL", maxBuffer: 1 << 26, env: ENVIRONMENT });
  } catch (error) {
    const { killed, stderr, message } = error as Error & { killed?: boolean; stderr?: string };
    throw new Error(killed === true ? `timed out after ${timeout / 1000} s` : reasonOf(stderr || message));
  }
}

/** Runs a command that prints a line of JSON. */
export async function runJson<T>(command: readonly string[]): Promise<T> {
  return JSON.parse((await runProcess(command)).stdout) as T;
}

/**
 * One process for each column and round. The columns take turns, so that whatever disturbs the machine meets them all. A column
 * that fails becomes a gap, and takes no more turns in this row.
 */
export async function takeTurns<T>(
  row: string,
  turns: readonly Turn<T>[],
  rounds: number,
  gaps: Gap[],
): Promise<ReadonlyMap<string, readonly T[]>> {
  const results = new Map<string, T[]>();
  const failed = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    for (const { column, measure } of turns) {
      if (failed.has(column)) continue;
      try {
        const result = await measure();
        results.set(column, [...(results.get(column) ?? []), result]);
      } catch (error) {
        failed.add(column);
        gaps.push({ row, column, reason: (error as Error).message });
      }
    }
  }
  return results;
}

/** The line of an error output that names the error, in JavaScript, Python or Go; else the last one. */
function reasonOf(output: string): string {
  const named = /^(?:FATAL ERROR|fatal error|panic|[\w.]*(?:Error|Exception|Exit)\b).*$/m.exec(output);
  return (named?.[0] ?? output.trim().split("\n").at(-1) ?? "").trim();
}
