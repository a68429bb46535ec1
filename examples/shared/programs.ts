// For the tests: the programs of the examples, run from their sources.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A program that runs, and what it has written. */
export interface Program {
  readonly process: ChildProcess;
  output: string;
  /** Its exit status; null: ended by a signal. */
  readonly ended: Promise<number | null>;
}

/** Starts a program as it was built: `start("echo/main.js", "serve", "0")`. */
export function start(path: string, ...args: readonly string[]): Program {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../dist/${path}`, import.meta.url)), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const program: Program = {
    process: child,
    output: "",
    ended: once(child, "close").then(([status]) => status as number | null),
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      program.output += chunk;
    });
  }
  return program;
}

/** The port that a server says it listens on. */
export async function portOf(program: Program): Promise<number> {
  for (;;) {
    const port = /listening on \S*:(\d+)/.exec(program.output)?.[1];
    if (port !== undefined) return Number(port);
    if (program.process.exitCode !== null) throw new Error(`It has ended: ${program.output}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
