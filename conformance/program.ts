/** What a random program is made of: data that interpreter.ts and python/interpreter.py run alike. */

/** What is waited for: a body that is started for it (`b`), what a slot holds (`t`), or one of the world's futures (`f`). */
export type Target = readonly [kind: "b" | "t" | "f", index: number];

/**
 * One statement. `id` is unique in its program and part of the labels in the trace.
 *
 * `index` says which lock, semaphore, event and so on; `slot` is where a task or future is kept for other statements to find;
 * `delay` and the like are virtual milliseconds here, and seconds in Python.
 */
export type Statement = Base &
  (
    | { kind: "log" | "boom" | "inc" | "cancelself" | "uncancel" | "selfcount" | "setvar" | "getvar"; message?: string }
    | { kind: "sleep"; delay: number }
    | { kind: "turns"; count: number }
    | { kind: "spawn"; slot: number; body: number; eager: boolean }
    | { kind: "gspawn"; slot: number; body: number; eager: boolean; outward: number }
    | { kind: "cancel"; slot: number; message: string }
    | { kind: "state" | "cancelling" | "uncancelother"; slot: number }
    | { kind: "setf" | "setfe" | "newf"; index: number }
    | { kind: "cancelf"; index: number; message: string }
    | { kind: "addcb"; target: Target; actions: Statement[] }
    | { kind: "rmcb"; added: number }
    | { kind: "soon"; handle: number; actions: Statement[] }
    | { kind: "later" | "at"; handle: number; delay: number; actions: Statement[] }
    | { kind: "unhandle"; handle: number }
    | { kind: "await"; target: Target }
    | { kind: "gather" | "gatherstore"; targets: Target[]; returnExceptions: boolean; slot: number }
    | { kind: "wait"; targets: Target[]; delay: number | null; returnWhen: ReturnWhen }
    | { kind: "ascomp"; targets: Target[]; delay: number | null; count: number }
    | { kind: "waitfor" | "shield" | "shieldstore"; target: Target; delay: number | null; slot: number }
    | { kind: "timeout"; delay: number | null; absolute: boolean; block: Statement[] }
    | { kind: "resched"; delay: number | null; outward: number }
    | { kind: "group"; block: Statement[] }
    | { kind: "lockwith" | "semwith" | "condwith"; index: number; block: Statement[] }
    | { kind: "lockacq" | "lockrel" | "locked" | "semacq" | "semrel" | "semlocked"; index: number }
    | { kind: "eset" | "eclear" | "ewait" | "cwait" | "cnotifyall"; index: number }
    | { kind: "cnotify" | "cwaitfor"; index: number; count: number }
    | { kind: "bwait" | "breset" | "babort" | "bstate"; index: number }
    | { kind: "qput" | "qget" | "qputn" | "qgetn" | "qjoin" | "qdone" | "qstate"; index: number }
    | { kind: "qshut"; index: number; immediate: boolean }
    | { kind: "return"; value: number }
    | { kind: "raise"; error: "boom" | "cancelled" }
    | Attempt
  );

/** try, except CancelledError, except anything else, finally. */
interface Attempt {
  kind: "try";
  block: Statement[];
  /** What is done about a cancellation; null where nobody catches it. */
  cancelled: Statement[] | null;
  /** How the handler of a cancellation ends. */
  afterwards: "raise" | "swallow" | "uncancel" | "boom";
  /** Whether other errors go on. */
  reraise: boolean;
  finally: Statement[] | null;
}

interface Base {
  readonly id: number;
  /** An error other than a cancellation ends here, and the next statement follows. */
  safe?: true;
}

export type Kind = Statement["kind"];
export type StatementOf<K extends Kind> = Extract<Statement, { kind: K }>;
export type ReturnWhen = "FIRST_COMPLETED" | "FIRST_EXCEPTION" | "ALL_COMPLETED";

/** The objects that a program's tasks share. */
export interface Objects {
  readonly locks: number;
  /** Start values, and whether bounded. */
  readonly semaphores: readonly [value: number, bounded: boolean][];
  readonly events: number;
  readonly conditions: number;
  /** How many conditions have one of the locks, instead of their own. */
  readonly shared: number;
  readonly barriers: readonly number[];
  /** Sizes and kinds: first in first out, last in first out, by priority. */
  readonly queues: readonly [size: number, kind: "f" | "l" | "p"][];
  readonly futures: number;
}

export interface Program {
  readonly seed: number;
  readonly objects: Objects;
  /** What tasks run. A body starts later ones only. */
  readonly bodies: Statement[][];
  readonly main: Statement[];
}

/** The same program with no eager task: an eager async function is not done when createTask returns (docs/decisions/0007). */
export function withoutEager(program: Program): Program {
  return JSON.parse(JSON.stringify(program), (key, value) => (key === "eager" ? false : value));
}
