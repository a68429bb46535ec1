/** Small programs in processes and terminals of their own. They use the built packages: `npm test` builds before it runs the tests. */

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const PACKAGES: Readonly<Record<string, string>> = {
  tsyncio: pathToFileURL(join(import.meta.dirname, "../../../tsyncio/dist/node/index.js")).href,
  "@tsyncio/progress": pathToFileURL(join(import.meta.dirname, "../../dist/index.js")).href,
};

/** Writes a module that may import the two packages by name; gives its path, and how to remove it. */
function written(source: string): { readonly file: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-progress-"));
  const file = join(folder, "program.mjs");
  writeFileSync(
    file,
    source.replaceAll(/from "(tsyncio|@tsyncio\/progress)"/g, (_, name: string) => `from ${JSON.stringify(PACKAGES[name])}`),
  );
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Runs a module whose output goes to pipes. `onStderr` may close one of them. */
export async function runPiped(
  source: string,
  options: { env?: Record<string, string>; onStderr?: (close: () => void) => void } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { file, remove } = written(source);
  const child = spawn(process.execPath, [file], { env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    options.onStderr?.(() => child.stderr.destroy());
  });
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => resolve({ code, stdout, stderr }));
    });
  } finally {
    child.kill("SIGKILL");
    remove();
  }
}

/** A terminal that shows what a program draws; on Debian, `apt-get install tmux`. */
export const TMUX = (process.env["PATH"] ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "tmux"))
  .find((path) => existsSync(path));

let terminals = 0;

/** A real terminal, without a window. */
export class TmuxTerminal {
  readonly #socket = `tsyncio-${process.pid}-${++terminals}`;
  readonly #remove: () => void;

  /** Runs a module, and then `echo` with its exit code. */
  constructor(source: string, columns: number, rows: number) {
    const { file, remove } = written(source);
    this.#remove = remove;
    const program = `printf 'before\\n'; TERM=xterm-256color CI= NO_COLOR= '${process.execPath}' '${file}'; echo "code $?"; exec cat`;
    this.#tmux("-u", "new-session", "-d", "-x", String(columns), "-y", String(rows), program);
  }

  #tmux(...args: string[]): string {
    return execFileSync(TMUX as string, ["-L", this.#socket, "-f", "/dev/null", ...args], { encoding: "utf8" });
  }

  /** What is to be seen, with what has scrolled away. */
  get lines(): string[] {
    return this.#tmux("capture-pane", "-p", "-S", "-")
      .trimEnd()
      .split("\n")
      .map((line) => line.trimEnd());
  }

  get cursorVisible(): boolean {
    return this.#tmux("display-message", "-p", "#{cursor_flag}").trim() === "1";
  }

  resize(columns: number, rows: number): void {
    this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  press(key: string): void {
    this.#tmux("send-keys", key);
  }

  /** Waits until the lines are as wanted; after a while, gives them as they are. */
  async until(wanted: (lines: string[]) => boolean): Promise<string[]> {
    for (let attempt = 0; attempt < 200 && !wanted(this.lines); attempt++) await wait(50);
    return this.lines;
  }

  close(): void {
    try {
      this.#tmux("kill-server");
    } catch {
      // It has ended by itself.
    }
    this.#remove();
  }
}
