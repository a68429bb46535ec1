/** The testing kit: virtual time, leak checks, exploration of schedules, injected cancellations. For any test runner. */

export { assertNeverSuspends, assertSuspends } from "./assert-suspends.ts";
export { type CancelOptions, type CancelSweep, cancelEverywhere } from "./cancel-everywhere.ts";
export type { TestBody, TestContext } from "./context.ts";
export {
  type Exploration,
  type ExploreOptions,
  explore,
  NondeterminismError,
  replay,
  type ScenarioOptions,
  ScheduleError,
} from "./explore.ts";
export { type Order, order } from "./order.ts";
export { type Problem, type ProblemCode, ProblemError } from "./problems.ts";
export type { RecordedStep } from "./record.ts";
export { runTest } from "./run-test.ts";
export type { Strategy } from "./search.ts";
export { type Sequencer, sequencer } from "./sequencer.ts";
export { StaleWriteError, shared } from "./shared.ts";
export { NoProgressError, type RunOptions } from "./simulate.ts";
export { VirtualHost, type VirtualHostOptions } from "./virtual-host.ts";
