/** Progress as lines, one after the other: for files, pipes, and the logs of CI. */

import { onProgress, type Progress } from "tsyncio";
import { renderLine } from "./render.ts";
import { rowsOf } from "./rows.ts";
import type { Display, Settings } from "./settings.ts";

/** What makes another line of a task worth it. */
function stateOf({ done, total, message, fraction }: Progress): string {
  return JSON.stringify([done, total, message, fraction]);
}

export class Lines implements Display {
  readonly #settings: Settings;
  readonly #unsubscribe: () => void;
  /** Of each task that was told of and goes on, what was told. */
  readonly #told = new Map<number, string>();
  #broken = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { stream, interval, task } = settings;
    stream.on?.("error", this.#onError);
    process.on("exit", this.#onExit);
    this.#unsubscribe = onProgress(this.#onProgress, { interval, task });
  }

  readonly #onProgress = (progress: Progress): void => {
    if (progress.state === "running") {
      // A tree: the task, and those right below it.
      const { rows } = rowsOf([progress], this.#settings.maxLines);
      for (const { progress: each, depth } of rows) if (depth <= 1) this.#tell(each);
      return;
    }
    const known = this.#told.delete(progress.id);
    if (known || progress.parentId === 0 || progress.state === "failed") this.#write(renderLine(progress));
  };

  #tell(progress: Progress): void {
    const state = stateOf(progress);
    const before = this.#told.get(progress.id);
    // One that is complete before anybody heard of it adds up what has been told; its end will be.
    if (before === state || (before === undefined && progress.fraction === 1)) return;
    this.#told.set(progress.id, state);
    this.#write(renderLine(progress));
  }

  #write(line: string): void {
    const { stream } = this.#settings;
    if (this.#broken || stream.destroyed === true) return;
    try {
      stream.write(`${line}\n`);
    } catch {
      this.#broken = true;
    }
  }

  readonly #onError = (): void => {
    this.#broken = true;
  };

  readonly #onExit = (): void => {
    this.stop();
  };

  stop(): void {
    this.#unsubscribe();
    this.#settings.stream.off?.("error", this.#onError);
    process.off("exit", this.#onExit);
  }
}
