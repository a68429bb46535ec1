/** All fixtures of this folder. */

import { awaitInCriticalSection } from "./await-in-critical-section.ts";
import { brokenBarrierReuse } from "./broken-barrier-reuse.ts";
import type { Bug } from "./bug.ts";
import { cancellationSwallowed } from "./cancellation-swallowed.ts";
import { checkThenAct } from "./check-then-act.ts";
import { doubleRelease } from "./double-release.ts";
import { fireAndForget } from "./fire-and-forget.ts";
import { lateAnswer } from "./late-answer.ts";
import { lockOrderDeadlock } from "./lock-order-deadlock.ts";
import { lostUpdate } from "./lost-update.ts";
import { lostWakeup } from "./lost-wakeup.ts";
import { queueShutdownRace } from "./queue-shutdown-race.ts";
import { semaphoreLeak } from "./semaphore-leak.ts";
import { staleCacheFill } from "./stale-cache-fill.ts";
import { starvation } from "./starvation.ts";
import { timeoutLosesPermit } from "./timeout-loses-permit.ts";
import { timerCancelRace } from "./timer-cancel-race.ts";
import { wrongWaiter } from "./wrong-waiter.ts";

export const bugs: readonly Bug[] = [
  lostUpdate,
  checkThenAct,
  lockOrderDeadlock,
  lostWakeup,
  semaphoreLeak,
  doubleRelease,
  starvation,
  awaitInCriticalSection,
  brokenBarrierReuse,
  queueShutdownRace,
  cancellationSwallowed,
  timerCancelRace,
  timeoutLosesPermit,
  staleCacheFill,
  wrongWaiter,
  fireAndForget,
  lateAnswer,
];
