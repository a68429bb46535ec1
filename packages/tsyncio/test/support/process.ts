/** Runs small programs in processes of their own, for what only a real process shows: signals, exit codes, silence. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The built library as Node loads it, by what programs call it. `npm test` builds before it runs the tests. */
export function built(entry: string): string {
  const name = entry === "tsyncio" ? "index" : entry.slice("tsyncio/".length);
  return pathToFileURL(join(import.meta.dirname, `../../dist/node/${name}.js`)).href;
}

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a module to its end. Each line that it prints is shown to `onLine`, which may send it a signal.
 *
 * `source` may use `import … from "tsyncio"` and from its other entries.
 */
export async function runProgram(
  source: string,
  options: {
    onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void;
    env?: Record<string, string>;
    args?: string[];
  } = {},
): Promise<Finished> {
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-test-"));
  const file = join(folder, "program.mjs");
  writeFileSync(
    file,
    source.replaceAll(/from "(tsyncio(?:\/\w+)?)"/g, (_, entry: string) => `from ${JSON.stringify(built(entry))}`),
  );
  const child = spawn(process.execPath, [...(options.args ?? []), file], {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let seen = 0;
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    const lines = stdout.split("\n").slice(0, -1);
    for (const line of lines.slice(seen)) options.onLine?.(line, (signal) => child.kill(signal));
    seen = lines.length;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  try {
    return await new Promise<Finished>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}
