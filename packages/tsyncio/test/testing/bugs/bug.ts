/** What a fixture of this folder is: a small program with a classic concurrency bug, and the same program mended. */

import type { TestBody } from "tsyncio/testing";

export interface Bug {
  readonly name: string;
  /** Schedules within which `explore` finds it, whichever of the seeds 1 to 10 it starts from. */
  readonly runs: number;
  /** Decisions in the smallest schedule that shows it, at most, injected cancellations included. */
  readonly decisions: number;
  /** What it fails with: the name of the error and its code. */
  readonly fails: readonly [name: string, code: string];
  /** Whether it shows only when a task is cancelled. */
  readonly cancel?: boolean;
  readonly buggy: TestBody;
  readonly mended: TestBody;
}
