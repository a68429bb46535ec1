/** Writes a run down for people: who ran, at which line, and what for it waited then. */

import { debugTools } from "../inspect/debug-tools.ts";
import { current, currentTask } from "../kernel/current.ts";
import type { DebugTools } from "../kernel/debug-tools.ts";
import { Handle, type Runnable, TimerHandle } from "../kernel/handle.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Task } from "../kernel/task.ts";
import { isCallback } from "./choosing-queue.ts";
import { type Recorder, taskOf } from "./simulate.ts";

export interface RecordedStep {
  /** From 1. */
  readonly step: number;
  /** The task's name, or what the loop calls back. */
  readonly who: string;
  /** Its place in the line of those that were ready; 0 is first. */
  readonly choice: number;
  /** What became of it: `waits for Lock 'db' held by a`, `returns`. */
  readonly outcome: string;
  /** The line of the operation that it waits for now. */
  readonly at: string | undefined;
  /** What else happened: a check that failed, a stale write. */
  readonly notes: readonly string[];
}

interface Pending {
  readonly entry: Runnable;
  readonly who: string;
  readonly choice: number;
  readonly notes: string[];
}

export class RunRecorder implements Recorder {
  readonly steps: RecordedStep[] = [];
  #pending: Pending | null = null;
  /** The last operation that each task has begun to wait for. */
  readonly #sites = new Map<Task<unknown>, string | undefined>();
  /** The lines at which operations were made: all that there is to see of an async function. */
  readonly #made = new WeakMap<object, string | undefined>();
  #restore: () => void = () => {};
  #loop: EventLoop | null = null;

  /** Debug mode's hooks tell where operations are made and awaited. */
  start(loop: EventLoop): void {
    const { debug, debugTools: before } = current;
    this.#restore = () => Object.assign(current, { debug, debugTools: before });
    this.#loop = loop;
    loop._debug = true;
    current.debug = true;
    const site = (): string | undefined => {
      const made = {};
      debugTools.noteOrigin(made);
      const found = debugTools.originOf(made);
      return found?.includes("node:") ? undefined : found;
    };
    const tools: Partial<DebugTools> = {
      noteUnstarted: (operation) => void this.#made.set(operation, site()),
      noteStarted: (operation) => {
        const task = currentTask();
        if (task !== null) this.#sites.set(task, site() ?? this.#made.get(operation));
      },
      runTimed: (_, entry) => entry._run(),
      swallowed: () => {},
      closed: () => {},
    };
    current.debugTools = { ...debugTools, ...tools };
  }

  step(entry: Runnable, choice: number): void {
    this.#finish();
    // A timer is told by whom it wakes, which is not to be seen any more when it has fired.
    const who = taskOf(entry)?.name ?? callbackName(entry, this.#loop);
    this.#pending = { entry, who, choice, notes: [] };
  }

  note(text: string): void {
    this.#pending?.notes.push(text);
  }

  end(): void {
    this.#finish();
    this.#restore();
  }

  #finish(): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    const { entry, who, choice, notes } = pending;
    const task = taskOf(entry);
    const step = { step: this.steps.length + 1, who, choice, notes };
    if (task === null) this.steps.push({ ...step, outcome: isCallback(entry) ? "" : "fires", at: undefined });
    else this.steps.push({ ...step, outcome: outcomeOf(task), at: task.done() ? undefined : this.#sites.get(task) });
  }
}

function outcomeOf(task: Task<unknown>): string {
  if (task.waitingFor !== undefined) return `waits for ${task.waitingFor}`;
  if (!task.done()) return "lets others run";
  if (task.cancelled()) return "ends, cancelled";
  const error = task._outcome;
  return task._failed() ? `fails: ${error instanceof Error ? error.message.split("\n", 1)[0] : String(error)}` : "returns";
}

function callbackName(entry: Runnable, loop: EventLoop | null): string {
  if (entry instanceof Handle)
    return String(entry).replace(/^<\w+ (.*)>$/, `${entry instanceof TimerHandle ? "timer" : "callback"} $1`);
  for (const task of loop?._tasks ?? []) if ((task._waiter as unknown) === entry) return `timer of ${task._self().name}`;
  return `timer of ${entry}`;
}
