/** What a random program is made of: data that interpreter.ts and python/interpreter.py run alike. */

/**
 * What is waited for: a body that is called for it (`b`), what a slot holds (`t`), one of the world's futures (`f`), or an
 * operation such as `event.wait()`, handed over as it is (`o`).
 */
export type Target = Held | readonly [kind: "b", index: number] | readonly [kind: "o", operation: Operation];

/** What a slot holds, or one of the world's futures. */
export type Held = readonly [kind: "t" | "f", index: number];

/**
 * One statement. `id` is unique in its program and part of the labels in the trace.
 *
 * `index` says which lock, semaphore, event and so on; `slot` is where a task or future is kept for other statements to find;
 * `delay` and the like are virtual milliseconds here, and seconds in Python.
 */
export type Statement = Immediate | Waiting | Block | Leaving;

/** Does not wait. An error is noted, and the next statement follows; `boom` alone goes on as an error. */
export type Immediate = Base &
  (
    | { kind: "log" | "boom" | "inc" | "uncancel" | "selfcount" | "who" | "alltasks" | "setvar" | "resetvar" | "getvar" }
    | { kind: "cancelself"; message: string }
    | { kind: "spawn"; slot: number; body: number; eager: boolean | null; context: number | null }
    | { kind: "gspawn"; slot: number; body: number; eager: boolean | null; outward: number }
    | { kind: "cancel"; slot: number; message: string }
    | { kind: "state" | "result" | "exception"; target: Held }
    | { kind: "cancelling" | "uncancelother" | "name" | "rename"; slot: number }
    | { kind: "setf" | "setfe" | "newf"; index: number }
    | { kind: "cancelf"; index: number; message: string }
    | { kind: "addcb"; target: Held; context: number | null; actions: Immediate[] }
    | { kind: "rmcb"; added: number }
    | { kind: "soon"; handle: number; actions: Immediate[] }
    | { kind: "later" | "at"; handle: number; delay: number; actions: Immediate[] }
    | { kind: "unhandle"; handle: number }
    | { kind: "inctx"; index: number; actions: Immediate[] }
    | { kind: "gatherstore"; targets: Target[]; returnExceptions: boolean; slot: number }
    | { kind: "shieldstore"; target: Target; slot: number }
    | { kind: "resched"; delay: number | null; outward: number }
    | { kind: "scopestate"; outward: number }
    | { kind: "lockrel" | "locked" | "semrel" | "semlocked" | "eset" | "eclear" | "estate" | "cnotifyall"; index: number }
    | { kind: "cnotify"; index: number; count: number }
    | { kind: "bstate" | "qgetn" | "qdone" | "qstate"; index: number }
    | { kind: "qputn"; index: number; item: number }
    | { kind: "qshut"; index: number; immediate: boolean }
  );

/** Waits for one thing, which may also be handed to somebody else to wait for. */
export type Operation = Base &
  (
    | { kind: "sleep"; delay: number }
    | { kind: "gather"; targets: Target[]; returnExceptions: boolean }
    | { kind: "waitfor"; target: Target; delay: number | null }
    | { kind: "shield"; target: Target }
    | { kind: "lockacq" | "semacq" | "ewait" | "cwait" | "bwait" | "breset" | "babort" | "qget" | "qjoin"; index: number }
    | { kind: "cwaitfor"; index: number; count: number }
    | { kind: "qput"; index: number; item: number }
  );

/** May wait. An error is noted and goes on, unless the statement is `safe`. */
export type Waiting =
  | Operation
  | (Base &
      (
        | { kind: "turns"; count: number }
        | { kind: "await"; target: Target }
        | { kind: "wait"; targets: Target[]; delay: number | null; returnWhen: ReturnWhen }
        | { kind: "ascomp" | "ascompasync"; targets: Target[]; delay: number | null; count: number }
      ));

/** Has statements inside. */
export type Block = Base &
  (
    | { kind: "timeout"; delay: number | null; absolute: boolean; block: Statement[] }
    | { kind: "group"; block: Statement[] }
    | { kind: "lockwith" | "semwith" | "condwith" | "barwith"; index: number; block: Statement[] }
    | Attempt
  );

/** try, except CancelledError, except anything else, finally. */
export interface Attempt {
  kind: "try";
  block: Statement[];
  /** What is done about a cancellation; null where nobody catches it. */
  cancelled: Statement[] | null;
  /** How the handler of a cancellation ends. */
  afterwards: "raise" | "swallow" | "uncancel" | "boom";
  /** Whether other errors go on. */
  reraise: boolean;
  /** Holds no return statement. */
  finally: Statement[] | null;
}

export type Leaving = Base & ({ kind: "return"; value: number } | { kind: "raise"; error: "boom" | "cancelled" });

interface Base {
  readonly id: number;
  /** An error other than a cancellation ends here, and the next statement follows. */
  safe?: true;
}

export type Kind = Statement["kind"];
export type StatementOf<K extends Kind> = Extract<Statement, { kind: K }>;
export type ReturnWhen = "FIRST_COMPLETED" | "FIRST_EXCEPTION" | "ALL_COMPLETED";

/** Whether tasks run their first step at once unless told otherwise, or none does. */
export type Factory = "lazy" | "eager";
export const FACTORIES: readonly Factory[] = ["lazy", "eager"];

/** The objects that a program's tasks share. */
export interface Objects {
  readonly locks: number;
  /** Start values, and whether bounded. */
  readonly semaphores: readonly (readonly [value: number, bounded: boolean])[];
  readonly events: number;
  readonly conditions: number;
  /** How many conditions have one of the locks, instead of their own. */
  readonly shared: number;
  readonly barriers: readonly number[];
  /** Sizes and kinds: first in first out, last in first out, by priority. */
  readonly queues: readonly (readonly [size: number, kind: "f" | "l" | "p"])[];
  readonly futures: number;
  /** Each other one holds a future at the start, the others one that is done. */
  readonly slots: number;
  readonly contexts: number;
}

export interface Program {
  readonly seed: number;
  readonly profile: string;
  readonly objects: Objects;
  /** When everybody has been cancelled at last. */
  readonly horizon: number;
  /** What tasks run. A body starts later ones only, and waits for these alone: so nobody waits for himself in a circle. */
  readonly bodies: Statement[][];
  readonly main: Statement[];
}

/** The bodies that somebody starts, with their numbers. */
export function startedBodies({ main, bodies }: Program): [number: number, body: Statement[]][] {
  const text = JSON.stringify([main, bodies]);
  return [...bodies.entries()].filter(([i]) => text.includes(`"body":${i},`) || text.includes(`["b",${i}]`));
}
