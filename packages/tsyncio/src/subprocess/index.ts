/** Child processes. For Node, Bun and Deno. */

export type { CommunicateOptions, Output } from "./communicate.ts";
export { createSubprocessExec, createSubprocessShell, type ProcessOf, withSubprocess } from "./create.ts";
export { OutputLimitError, ProcessError, ProcessStartError, ProcessTimeoutError } from "./errors.ts";
export { type LineEncoding, type LineOptions, Lines } from "./lines.ts";
export { DEVNULL, PIPE, type Redirect, type ShellOptions, STDOUT, type SubprocessOptions } from "./options.ts";
export { Process, type StopOptions } from "./process.ts";
export { type Completed, type RunOptions, type RunShellOptions, runProcess, runShell } from "./run-process.ts";
