/** How a child process is started: the options, and what they are checked for. */

import type { SpawnOptions, StdioOptions } from "node:child_process";
import type { Stream } from "node:stream";
import { isatty } from "node:tty";
import { fileURLToPath } from "node:url";
import { type Duration, milliseconds } from "../base/duration.ts";
import { show, unexpected } from "../base/errors.ts";
import { SIGNALS } from "./signals.ts";

/** For `stdin`, `stdout` and `stderr`: a pipe to this program. **Source** `asyncio.subprocess.PIPE`. */
export const PIPE: "pipe" = "pipe";
/** For `stdin`, `stdout` and `stderr`: nothing to read, and what is written is dropped. **Source** `asyncio.subprocess.DEVNULL`. */
export const DEVNULL: "devnull" = "devnull";
/** For `stderr`: to where `stdout` goes, in the order in which it is written. **Source** `asyncio.subprocess.STDOUT`. */
export const STDOUT: "stdout" = "stdout";

/** How long the pipes of a process that has exited may stay open, since others have inherited them, in milliseconds. */
export const DRAIN = 1000;

/** Where a standard stream of the child leads: `"inherit"` is this program's own; a number is a file descriptor of this program. */
export type Redirect = typeof PIPE | typeof DEVNULL | "inherit" | number | Stream;

/** What createSubprocessExec and createSubprocessShell have in common. */
export interface SubprocessOptions {
  /** Inherited by default. */
  readonly stdin?: Redirect | undefined;
  /** Inherited by default. */
  readonly stdout?: Redirect | undefined;
  /** Inherited by default. */
  readonly stderr?: Redirect | typeof STDOUT | undefined;
  /** The folder that it starts in; this program's by default. */
  readonly cwd?: string | URL | undefined;
  /** All of its environment variables; those of this program by default. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Of the readers of its output: see StreamReader. */
  readonly limit?: number | undefined;
  /** The user to run as; an integer ≥ 0. */
  readonly uid?: number | undefined;
  /** The group of users to run as; an integer ≥ 0. */
  readonly gid?: number | undefined;
  /**
   * Whether it gets a process group and session of its own, so that all it starts can be ended with it. By default it does, unless it
   * reads from the terminal that this program reads from, which a session of its own could not; never on Windows.
   */
  readonly group?: boolean | undefined;
  /** On Windows, shows no window. */
  readonly windowsHide?: boolean | undefined;
  /** What it is told when it is to end; `"SIGTERM"` by default. */
  readonly killSignal?: NodeJS.Signals | undefined;
  /** How long it may take then before it is killed; ≥ 0, 5 seconds by default, Infinity: for ever. */
  readonly grace?: Duration | undefined;
}

/** As {@link SubprocessOptions}. */
export interface ShellOptions extends SubprocessOptions {
  /** The shell; `/bin/sh` by default, `cmd.exe` on Windows. */
  readonly shell?: string | undefined;
}

const KNOWN = "stdin stdout stderr cwd env limit uid gid group windowsHide killSignal grace shell".split(" ");
const OUTPUTS = 'PIPE, DEVNULL, "inherit", a file descriptor or a stream';

/** What is to be started, as it was asked for and found right. */
export interface Plan {
  readonly title: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly spawn: SpawnOptions;
  readonly limit: number | undefined;
  readonly group: boolean;
  readonly killSignal: NodeJS.Signals;
  readonly grace: number;
  /** Both outputs go through one pipe. */
  readonly merged: boolean;
}

/** @throws {TypeError} or {RangeError} when something of it is wrong. */
export function planOf(program: unknown, args: unknown, given: ShellOptions | undefined, shell: boolean): Plan {
  const options = given ?? {};
  if (typeof options !== "object") throw unexpected("`options` to be an object such as { stdout: PIPE }", options);
  for (const key of Object.keys(options)) {
    if (!KNOWN.includes(key) || (key === "shell" && !shell)) throw new TypeError(unknownOption(key));
  }
  const { stdin = "inherit", stdout = "inherit", stderr = "inherit", cwd, env, limit, uid, gid, windowsHide, group } = options;
  checkText(program, shell ? "command" : "program");
  if (program === "") throw new TypeError(`Expected \`${shell ? "command" : "program"}\` to have at least one character`);
  if (!Array.isArray(args)) throw unexpected("`args` to be an array of strings", args);
  for (const [index, each] of args.entries()) checkText(each, `args[${index}]`);
  if (cwd !== undefined && !(cwd instanceof URL)) checkText(cwd, "cwd");
  if (env !== undefined && (typeof env !== "object" || env === null)) throw unexpected("`env` to be an object of strings", env);
  for (const [name, value] of Object.entries(env ?? {})) if (value !== undefined) checkText(value, `env.${name}`);
  if (group !== undefined && typeof group !== "boolean") throw unexpected("`group` to be true or false", group);
  checkId(uid, "uid");
  checkId(gid, "gid");
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1)) {
    throw new RangeError(`Expected \`limit\` to be an integer ≥ 1, got ${show(limit)}`);
  }
  const own = process.platform !== "win32" && (group ?? !(stdin === "inherit" && isatty(0)));
  return {
    title: [program, ...args].join(" "),
    program: program as string,
    args: args as string[],
    spawn: {
      cwd: cwd instanceof URL ? fileURLToPath(cwd) : cwd,
      env: env as NodeJS.ProcessEnv | undefined,
      uid,
      gid,
      windowsHide,
      detached: own,
      shell: shell ? (options.shell ?? true) : false,
      stdio: [asStdio(stdin, "stdin"), asStdio(stdout, "stdout"), asError(stderr, stdout)] as StdioOptions,
    },
    limit,
    group: own,
    killSignal: checkSignal(options.killSignal ?? "SIGTERM", "killSignal"),
    grace: checkGrace(options.grace ?? "5s"),
    merged: stderr === STDOUT && stdout === PIPE,
  };
}

/** @throws {TypeError} when it is no signal of this system. */
export function checkSignal(signal: unknown, name: string): NodeJS.Signals {
  if (typeof signal === "string" && signal in SIGNALS) return signal as NodeJS.Signals;
  throw unexpected(`\`${name}\` to be a signal such as "SIGTERM"`, signal);
}

/** @throws {RangeError} when it is below 0 or no duration. */
export function checkGrace(grace: Duration, name = "grace"): number {
  const value = milliseconds(grace, name);
  if (value < 0) throw new RangeError(`Expected \`${name}\` to be ≥ 0, got ${show(grace)}`);
  return value;
}

function asStdio(where: unknown, name: string): string | number | Stream {
  if (where === PIPE || where === "inherit") return where;
  if (where === DEVNULL) return "ignore";
  if (typeof where === "object" && where !== null && "on" in where) return where as Stream;
  if (Number.isSafeInteger(where) && (where as number) >= 0) return where as number;
  throw unexpected(`\`${name}\` to be ${name === "stderr" ? "STDOUT, " : ""}${OUTPUTS}`, where);
}

/** Where stderr goes; for one that goes through the pipe of stdout, what stands there is replaced later. */
function asError(stderr: unknown, stdout: unknown): string | number | Stream {
  if (stderr !== STDOUT) return asStdio(stderr, "stderr");
  return stdout === "inherit" ? 1 : asStdio(stdout, "stdout");
}

function checkText(text: unknown, name: string): void {
  if (typeof text !== "string") throw unexpected(`\`${name}\` to be a string`, text);
  if (text.includes("\0")) throw new TypeError(`Expected \`${name}\` to have no NUL in it, got ${show(text)}`);
}

function checkId(id: unknown, name: string): void {
  if (id !== undefined && (!Number.isSafeInteger(id) || (id as number) < 0)) {
    throw new RangeError(`Expected \`${name}\` to be an integer ≥ 0, got ${show(id)}`);
  }
}

function unknownOption(key: string): string {
  const hints: Record<string, string> = {
    shell: "use createSubprocessShell()",
    detached: "`group: true` gives it a process group of its own",
    stdio: "give `stdin`, `stdout` and `stderr`",
    timeout: "runProcess() and communicate() have one",
    signal: "cancel the task instead",
  };
  for (const text of ["encoding", "text", "errors", "universalNewlines", "bufsize"]) {
    hints[text] = "streams are bytes; runProcess() has `encoding`";
  }
  return `Expected no option \`${key}\`: ${hints[key] ?? `there are ${KNOWN.slice(0, -1).join(", ")}`}`;
}
