// Tells how far the audit is, for showProgress() to draw: in a terminal as bars, elsewhere as a line now and then.

import { type Coroutine, reportProgress, sleep, type Task } from "tsyncio";
import type { Audit } from "./audit.ts";

/** Reports in the name of a task, until it is cancelled. */
export function* followProgress(audit: Audit, task: Task<unknown>): Coroutine<never> {
  for (;;) {
    const total = audit.checked + audit.active.size + audit.waiting();
    reportProgress({ done: audit.checked, total, unit: "URLs", message: messageOf(audit) }, { task });
    yield* sleep(100);
  }
}

function messageOf(audit: Audit): string {
  const failed = `${audit.troubles} failed`;
  // What is left in the end is what holds things up: say which.
  const [oldest] = audit.active;
  if (oldest === undefined || audit.waiting() > 0) return failed;
  return `${failed}, waiting for ${oldest.url.replaceAll(/\p{Cc}/gu, "?")}`;
}
