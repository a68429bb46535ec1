/** Debug mode's reports on how tasks behave: steps that block the loop, cancellations that are swallowed. */

import type { Runnable } from "../kernel/handle.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Task } from "../kernel/task.ts";

/** Runs an entry of the ready queue, and reports it if it takes longer than the loop's `slowCallbackDuration`. */
export function runTimed(loop: EventLoop, entry: Runnable): void {
  // Taken before the run: a task that ends in it has no state to show any more.
  const label = String(entry);
  const start = loop.time();
  entry._run();
  const took = loop.time() - start;
  if (took < loop.slowCallbackDuration) return;
  const what = (entry as Partial<Task<unknown>>).done?.() === false ? String(entry) : label;
  loop._host.report(`tsyncio: executing ${what} took ${(took / 1000).toFixed(3)} seconds`);
}

/** Reports a task that was cancelled, yet returned a value, unless the request was taken back. */
export function swallowed(task: Task<unknown>): void {
  if (task._cancels === 0) return;
  task._loop._host.report(
    `tsyncio: ${task} swallowed a cancellation: it was cancelled, yet returned a value. A catch block must rethrow when isCancelled(error), or call uncancel().`,
  );
}
