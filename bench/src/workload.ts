/** What a workload is, for the harness and for the files in `workloads/`. */

/** Does `n` operations and ends when the last one is over. Called many times in one process, with growing `n`. */
export type Run = (n: number) => Promise<void> | void;

/**
 * The columns of the tables. `native` is plain promises; `native-als` the same inside of an AsyncLocalStorage; `floor`
 * is the least that a generator runtime can do: `workloads/floor`.
 */
export const PEERS = [
  "tsyncio",
  "native",
  "native-als",
  "floor",
  "effect",
  "effection",
  "p-limit",
  "p-queue",
  "p-map",
  "async-mutex",
  "dataloader",
  "bluebird",
  "rxjs",
  "asyncio",
  "uvloop",
  "trio",
  "go",
] as const;

export type Peer = (typeof PEERS)[number];

/** The peers that are written in JavaScript. */
export type ScriptPeer = Exclude<Peer, "asyncio" | "uvloop" | "trio" | "go">;

/** Something that is measured: one file in `workloads/`, whose default export this is. */
export interface Workload {
  /** The name of the file. */
  readonly name: string;
  /** What one operation is, in a line: `a task suspends and goes on, nothing else to do`. */
  readonly operation: string;
  /**
   * What is measured.
   *
   * - `time`: ns per operation, by calling the Run with growing `n`.
   * - `memory`: one call with each of `sizes` in a fresh process: wall time, CPU and bytes at the peak, per operation.
   */
  readonly measures: "time" | "memory";
  readonly sizes?: readonly number[];
  /**
   * The peers that can do the job; each imports its library when it is asked for, so that a process holds just one.
   * `native-als` is not listed: the harness runs `native` inside of an AsyncLocalStorage.
   */
  readonly peers: Partial<Record<Exclude<ScriptPeer, "native-als">, () => Promise<Run>>>;
}
