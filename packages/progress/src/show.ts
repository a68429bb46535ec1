/** `showProgress`: the progress of a program's tasks, for those who watch it. */

import { Bars } from "./bars.ts";
import { Lines } from "./lines.ts";
import { type ShowOptions, settingsOf } from "./settings.ts";
import type { OutputStream } from "./stream.ts";

/** Progress that is shown until it is stopped: `using _ = showProgress()`, or `stop()`. */
export interface ProgressDisplay extends Disposable {
  /** Shows the last state, and ends it. Harmless when repeated. */
  stop(): void;
}

const shownOn = new Set<OutputStream>();

/**
 * Shows the progress of all tasks: as live bars in a terminal, as lines anywhere else.
 *
 * It shows whatever `reportProgress`, `track`, task groups, `gather`, `map` and queues tell, from now on until it is stopped, or the
 * process ends; in coroutines, async functions and outside of tasks alike, also when it is called before `run()`. What the program writes to
 * stdout and stderr meanwhile appears above the bars, whole. It never keeps the process alive, and never throws because nobody reads
 * what it writes. On a stream that shows progress already it does nothing.
 *
 * @param options - `stream`, `mode`, `interval`, `maxLines`, `width`, `ascii`, `color`, `clear`, `task`.
 * @returns what ends it.
 * @throws {TypeError} or {RangeError} when an option is not what it should be.
 *
 * **Suspends** never.
 *
 * @example
 * ```ts
 * await run(async () => {
 *   using _ = showProgress();
 *   for (const file of track(files, { unit: "files" })) await convert(file);
 * });
 * ```
 */
export function showProgress(options: ShowOptions = {}): ProgressDisplay {
  const settings = settingsOf(options, process.env, process.platform);
  const { stream } = settings;
  if (shownOn.has(stream)) return displayed(() => {});
  shownOn.add(stream);
  const display = settings.draws ? new Bars(settings) : new Lines(settings);
  return displayed(() => {
    display.stop();
    shownOn.delete(stream);
  });
}

function displayed(end: () => void): ProgressDisplay {
  let over = false;
  const stop = (): void => {
    if (over) return;
    over = true;
    end();
  };
  return { stop, [Symbol.dispose]: stop };
}
