/** Where it is written to, and what that can do. */

/** The part of a Node stream that is needed. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  readonly destroyed?: boolean | undefined;
  on?(event: string, listener: () => void): unknown;
  off?(event: string, listener: () => void): unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "" && value !== "0" && value !== "false";

/** Whether lines can be drawn over: on a terminal, but not in CI, whose logs keep each of them. */
export function canDraw(stream: OutputStream, environment: Environment): boolean {
  return stream.isTTY === true && environment["TERM"] !== "dumb" && !isSet(environment["CI"]);
}

/** NO_COLOR and FORCE_COLOR decide, if they are there (no-color.org); else whether it is a terminal. */
export function wantsColor(stream: OutputStream, environment: Environment): boolean {
  const { NO_COLOR, FORCE_COLOR } = environment;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return stream.isTTY === true && environment["TERM"] !== "dumb";
}

/** Whether the terminal is known to take ASCII only: the console of Linux, or a locale of another encoding. */
export function wantsAscii(environment: Environment, platform: string): boolean {
  if (isSet(environment["TSYNCIO_ASCII"])) return true;
  if (platform === "win32")
    return !(isSet(environment["WT_SESSION"]) || isSet(environment["TERM_PROGRAM"]) || isSet(environment["TERM"]));
  if (environment["TERM"] === "linux") return true;
  const locale = [environment["LC_ALL"], environment["LC_CTYPE"], environment["LANG"]].find(
    (each) => each !== undefined && each !== "",
  );
  // No locale at all: containers, where terminals are UTF-8 all the same.
  return locale !== undefined && locale !== "C" && locale !== "POSIX" && !/utf-?8/i.test(locale);
}
