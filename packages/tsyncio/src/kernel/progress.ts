/** What is known of the progress of tasks, and the slot by which the kernel tells of it: null until something of progress is loaded. */

import type { Task } from "./task.ts";

/** How far a task is, with all that it waits for below it: a picture of one moment. */
export interface Progress {
  /** The `id` of the task. */
  readonly id: number;
  /** The name of the task; of a `track` inside of another one, its message. */
  readonly name: string;
  /** The `id` of the task that this one counts for; 0 where there is none. */
  readonly parentId: number;
  readonly state: "running" | "finished" | "failed" | "cancelled";
  /** How many units are done; ≥ 0. */
  readonly done: number;
  /** How many there are, as far as one knows; may be less than `done`. */
  readonly total: number | undefined;
  /** What is counted: `"tasks"` and `"items"` where the library counts by itself. */
  readonly unit: string | undefined;
  readonly message: string | undefined;
  /** 0 to 1; undefined while nobody knows how much there is. */
  readonly fraction: number | undefined;
  /** Units per second, smoothed; at the end, the average of all the time. Undefined while unknown. */
  readonly rate: number | undefined;
  /** Milliseconds to go at this rate; undefined while unknown. */
  readonly eta: number | undefined;
  /** The loop's time, in milliseconds, at which this was first heard of. */
  readonly startedAt: number;
  /** Milliseconds since then; of a task that has ended, until its end. */
  readonly elapsed: number;
  /** Those below that are still under way and have something to tell, in order of their beginning. */
  readonly children: readonly Progress[];
}

/** How many jobs there are, and how many of them have not ended. (The jobs themselves are not held: they may have large results.) */
export interface JobCount {
  /** 0 once it was added to what is over. */
  _made: number;
  readonly _left: number;
}

/** Items that are worked on: whoever does so keeps the numbers up to date. */
export interface ItemCount {
  _done: number;
  /** How many there are; undefined while unknown. */
  _total: number | undefined;
  /** Each item has a child task, whose own progress counts for a part of it. */
  readonly _inTasks: boolean;
  /** There is nothing to do, for now at least. */
  _over: boolean;
  /** It was over when somebody looked: its numbers were added to what is over. For more, another one is to be opened. */
  _added: boolean;
}

/** What counts by itself, and is asked when somebody looks. */
export type Countable = JobCount | ItemCount;

/** Where counts are opened that outlive the step that asks for it: the progress of a task, which it does not keep once that has ended. */
export interface ProgressPlace {
  /** The task has ended: what is opened counts for nobody. */
  readonly over: boolean;
  open(count: Countable): void;
  /** The numbers of something that was opened have changed. */
  changed(): void;
}

/** What the kernel and its users tell those that keep account of progress. */
export interface ProgressTools {
  /** Something that counts begins, in the task that runs, or in another. */
  opened(count: Countable, task?: Task<unknown> | null): void;
  /** The place of the running task; null outside of any. */
  here(): ProgressPlace | null;
  /** A set for the tasks of a group of the running task, which counts those that it gets. */
  tasks(): Set<Task<unknown>>;
  /** The numbers of something that counts have changed, in this task. */
  changed(task: Task<unknown>): void;
  /** A task has ended. */
  finished(task: Task<unknown>): void;
}
