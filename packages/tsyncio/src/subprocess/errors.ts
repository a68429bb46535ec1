/** What may go wrong with a child process: at its start, by its exit code, by its time, by its output. */

import type { Buffer } from "node:buffer";
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { TimeoutError } from "../base/errors.ts";
import type { Plan } from "./options.ts";

/**
 * A program could not be started; no process was left.
 *
 * `code` is the system's (`"ENOENT"`, `"EACCES"`, `"EMFILE"`, …), `reason` says what it is about, and `cause` is Node's error.
 */
export class ProcessStartError extends Error {
  override name = "ProcessStartError";
  readonly code: string;
  /** What has to be mended: the program, the interpreter that its first line names, the folder to start in, or something else. */
  readonly reason: "program" | "interpreter" | "cwd" | "other";
  readonly program: string;

  constructor(program: string, fault: Fault, cause: unknown) {
    super(`Cannot start ${program}: ${fault.text}`, { cause });
    this.code = fault.code;
    this.reason = fault.reason;
    this.program = program;
  }
}

interface Fault {
  readonly reason: ProcessStartError["reason"];
  readonly code: string;
  readonly text: string;
}

/** The output of a process, as far as it went. */
export interface Captured<T = Buffer | string | null> {
  readonly stdout: T;
  readonly stderr: T;
}

/** A process has not ended with exit code 0. */
export class ProcessError extends Error {
  override name = "ProcessError";
  readonly code = "PROCESS_FAILED";
  /** The exit code; negative, the number of the signal that ended it. */
  readonly returncode: number;
  readonly signal: NodeJS.Signals | null;
  readonly command: string;
  readonly stdout: Captured["stdout"];
  readonly stderr: Captured["stderr"];

  constructor(command: string, returncode: number, signal: NodeJS.Signals | null, output: Captured) {
    const how = signal === null ? `exited with code ${returncode}` : `was ended by ${signal}`;
    super(`${command} ${how}${endOf(output.stderr)}`);
    this.command = command;
    this.returncode = returncode;
    this.signal = signal;
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
}

/** A process was not done in time, and was ended; what it had written by then is here. */
export class ProcessTimeoutError extends TimeoutError {
  override name = "ProcessTimeoutError";
  readonly command: string;
  readonly stdout: Captured["stdout"];
  readonly stderr: Captured["stderr"];

  constructor(command: string, limit: number, output: Captured) {
    super(`${command} was not done in ${limit} ms, and was ended${endOf(output.stderr)}`);
    this.command = command;
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
}

/** A process has written more than it may, and was ended; as much of it as it may write is here. */
export class OutputLimitError extends Error {
  override name = "OutputLimitError";
  readonly code = "OUTPUT_LIMIT";
  readonly command: string;
  readonly stdout: Captured["stdout"];
  readonly stderr: Captured["stderr"];

  constructor(command: string, stream: "stdout" | "stderr", limit: number, output: Captured) {
    super(`Expected at most ${limit} bytes of ${stream} from ${command}, got more; raise \`maxOutput\`, or read it in parts`);
    this.command = command;
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
}

/** So much of stderr is quoted in messages, in characters. */
const QUOTED = 500;

function endOf(stderr: Captured["stderr"]): string {
  const text = stderr?.toString().trimEnd() ?? "";
  if (text === "") return "";
  return `:\n${text.length > QUOTED ? `…${text.slice(-QUOTED)}` : text}`;
}

/** Tells the reasons apart for which the system refuses with one and the same code. */
export function startError(plan: Plan, error: NodeJS.ErrnoException): ProcessStartError {
  return new ProcessStartError(plan.spawn.shell ? `the shell for ${plan.program}` : plan.program, faultOf(plan, error), error);
}

function faultOf(plan: Plan, error: NodeJS.ErrnoException): Fault {
  const code = error.code ?? "UNKNOWN";
  const { cwd, shell } = plan.spawn;
  const folder = cwd === undefined ? null : codeOf(() => enter(String(cwd)));
  if (folder !== null) {
    const text = { ENOENT: "does not exist", ENOTDIR: "is not a folder", EACCES: "may not be entered" }[folder] ?? folder;
    return { reason: "cwd", code: folder, text: `its \`cwd\` ${cwd} ${text}` };
  }
  const program = shell ? (typeof shell === "string" ? shell : "/bin/sh") : plan.program;
  if (code === "ENOENT") {
    const file = find(program, plan);
    if (file === null) {
      const where = program.includes("/") ? "there is no such file" : "no folder of PATH has it";
      return { reason: "program", code, text: `the program ${program} was not found; ${where}` };
    }
    return { reason: "interpreter", code, text: `${firstLine(file) ?? "what it needs to be loaded by"} was not found` };
  }
  if (code === "EACCES") return { reason: "program", code, text: "it may not be executed: a folder, or no permission" };
  const more: Record<string, string> = {
    EMFILE: "this program has too many files open",
    ENFILE: "the system has too many files open",
    EAGAIN: "there are too many processes",
    E2BIG: "its arguments and environment are too long",
    EPERM: "this program may not run others as that user or group",
  };
  return { reason: "other", code, text: more[code] ?? error.message };
}

function enter(folder: string): void {
  // What is no folder is told apart from one that is closed.
  if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: "ENOTDIR" });
  accessSync(folder, constants.X_OK);
}

function codeOf(look: () => void): string | null {
  try {
    look();
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "UNKNOWN";
  }
}

/** Where the system found the program, in its own way of looking; null if nowhere. */
function find(program: string, { spawn: { cwd, env = process.env } }: Plan): string | null {
  const base = String(cwd ?? ".");
  const path = env["PATH"] ?? "/usr/local/bin:/bin:/usr/bin";
  const places = program.includes("/") ? [resolve(base, program)] : path.split(delimiter).map((each) => join(each, program));
  return places.find((each) => codeOf(() => statSync(each)) === null) ?? null;
}

function firstLine(file: string): string | null {
  try {
    const [, line] = /^#!\s*(\S[^\n]*)/.exec(readFileSync(file, "latin1").slice(0, 256)) ?? [];
    return line === undefined ? null : `its interpreter ${line}`;
  } catch {
    return null;
  }
}
