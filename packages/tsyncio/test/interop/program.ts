/** Programs in processes of their own that use `tsyncio/interop` as it is in `src`: for real signals and for the collector. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { PACKAGE } from "../house/sources.ts";

const ENTRIES: Readonly<Record<string, string>> = {
  tsyncio: "index.ts",
  "tsyncio/interop": "interop/index.ts",
  "#host": "hosts/node.ts",
};

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a module to its end. Each line that it prints is shown to `onLine`, which may send it a signal. */
export async function runInterop(
  source: string,
  onLine: (line: string, kill: (signal: NodeJS.Signals) => void) => void = () => {},
): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-program-"));
  const outfile = join(folder, "program.mjs");
  try {
    await build({
      stdin: { contents: source, resolveDir: PACKAGE },
      bundle: true,
      platform: "node",
      format: "esm",
      outfile,
      plugins: [
        {
          name: "sources",
          setup: (plugin) =>
            plugin.onResolve({ filter: /^(tsyncio(\/interop)?|#host)$/ }, ({ path }) => ({
              path: join(PACKAGE, "src", ENTRIES[path] as string),
            })),
        },
      ],
    });
    const child = spawn(process.execPath, ["--expose-gc", outfile], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    let seen = 0;
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      const lines = stdout.split("\n").slice(0, -1);
      for (const line of lines.slice(seen)) onLine(line, (signal) => child.kill(signal));
      seen = lines.length;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    return await new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
