// Shows how far the audit is: one line that changes on a terminal, a line now and then elsewhere.

import { type Coroutine, sleep } from "tsyncio";
import type { Audit } from "./audit.ts";

const ON_TERMINAL = { every: 100, begin: "\r\x1b[2K", end: "" };
const IN_LOG = { every: 2_000, begin: "", end: "\n" };

/** Runs until it is cancelled; then nothing of it is left on a terminal. */
export function* showProgress(audit: Audit, stream: NodeJS.WriteStream): Coroutine<never> {
  const { every, begin, end } = stream.isTTY ? ON_TERMINAL : IN_LOG;
  try {
    for (;;) {
      // One column less than there are: a full line makes some terminals scroll.
      const room = stream.isTTY ? stream.columns - 1 : undefined;
      stream.write(begin + progressLine(audit).slice(0, room) + end);
      yield* sleep(every);
    }
  } finally {
    if (stream.isTTY) stream.write(begin);
  }
}

function progressLine(audit: Audit): string {
  const seconds = audit.elapsed() / 1000;
  const parts = [
    `${audit.checked} checked`,
    `${audit.active.size} under way`,
    `${audit.waiting()} waiting`,
    `${audit.troubles} failed`,
    `${seconds.toFixed(1)} s`,
  ];
  // What is left in the end is what holds things up: say which.
  const [oldest] = audit.active;
  if (oldest && audit.waiting() === 0) parts.push(`waiting for ${oldest.url.replaceAll(/\p{Cc}/gu, "?")}`);
  return parts.join(" · ");
}
