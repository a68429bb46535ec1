/**
 * tsyncio: Python's asyncio for TypeScript. The portable face: nothing in its graph imports a Node module.
 */

export type { Duration } from "./base/duration.ts";
export {
  BrokenBarrierError,
  CancelledError,
  DeadlockError,
  ExceptionGroup,
  IncompleteReadError,
  InvalidStateError,
  isCancelled,
  KeyboardInterrupt,
  LimitOverrunError,
  QueueEmpty,
  QueueFull,
  QueueShutDown,
  RuntimeError,
  TimeoutError,
} from "./base/errors.ts";
export { type AsCompleted, asCompleted } from "./flow/as-completed.ts";
export {
  createEagerTaskFactory,
  createTask,
  eagerTaskFactory,
  effectivePriority,
  runCoroutineThreadsafe,
} from "./flow/create-task.ts";
export { gather, type ResultOf } from "./flow/gather.ts";
export { type RaceOptions, race } from "./flow/race.ts";
export { type Selected, type SelectOptions, select } from "./flow/select.ts";
export { shield, shielded } from "./flow/shield.ts";
export { sleep } from "./flow/sleep.ts";
export { type StaggeredResult, staggeredRace } from "./flow/staggered-race.ts";
export { TaskGroup, taskGroup } from "./flow/task-group.ts";
export { moveOnAfter, Timeout, timeout, timeoutAt } from "./flow/timeout.ts";
export {
  ALL_COMPLETED,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type FutureOf,
  type ReturnWhen,
  wait,
} from "./flow/wait.ts";
export { waitFor } from "./flow/wait-for.ts";
export { Context, ContextVar, copyContext, type Token } from "./kernel/context.ts";
export { coroutine } from "./kernel/coroutine.ts";
export { currentTask, getRunningLoop } from "./kernel/current.ts";
export { Future, isFuture } from "./kernel/future.ts";
export type { Handle, TimerHandle } from "./kernel/handle.ts";
export type { Guard as ProgramGuard, Host, Location, Program, ReadyQueue, Suspendable } from "./kernel/host.ts";
export { type Awaitable, type Body, ensureFuture, type Job } from "./kernel/job.ts";
export { isCoroutine } from "./kernel/kinds.ts";
export {
  allTasks,
  EventLoop,
  type EventLoopOptions,
  type ExceptionContext,
  type ExceptionHandler,
  getEventLoop,
  type TaskFactory,
} from "./kernel/loop.ts";
export type { Operation } from "./kernel/operation.ts";
export type { Coroutine, Suspension } from "./kernel/suspended.ts";
export { Task, type TaskBody, type TaskOptions } from "./kernel/task.ts";
export { installDebugTools } from "./run/debug.ts";
export { type RunnerOptions, type RunOptions, run } from "./run/run.ts";
export { Runner } from "./run/runner.ts";
export { Barrier } from "./sync/barrier.ts";
export { Channel, ChannelClosed, type ChannelStatistics } from "./sync/channel.ts";
export { Condition } from "./sync/condition.ts";
export { Event } from "./sync/event.ts";
export { LifoQueue } from "./sync/lifo-queue.ts";
export { type Guard, Lock } from "./sync/lock.ts";
export { type Compare, PriorityQueue } from "./sync/priority-queue.ts";
export { Queue } from "./sync/queue.ts";
export { RWLock, type WriteGuard } from "./sync/rw-lock.ts";
export { BoundedSemaphore, Semaphore } from "./sync/semaphore.ts";
export type { Answers } from "./work/answers.ts";
export {
  Batcher,
  type BatcherCache,
  type BatcherOptions,
  type BatcherStatistics,
} from "./work/batcher.ts";
export { type Borrower, CapacityLimiter, type CapacityStatistics, Permit } from "./work/capacity-limiter.ts";
export {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitChange,
  CircuitOpenError,
  type CircuitState,
} from "./work/circuit-breaker.ts";
export {
  type CallOptions,
  CombinedLimiter,
  type CombinedOptions,
  type Limited,
  type LimitOptions,
  limit,
} from "./work/limit.ts";
export type { Limiter, LimiterOptions, WaitingTask, WhenFull } from "./work/limiter.ts";
export type { Cached } from "./work/loads.ts";
export {
  type ForEachOptions,
  forEach,
  type ItemOf,
  type Items,
  type MapLimiter,
  type MapOptions,
  type Mapping,
  map,
} from "./work/map.ts";
export { type Kept, type Marker, SKIP, STOP } from "./work/map-results.ts";
export {
  allProgress,
  onProgress,
  type Progress,
  type ProgressEvents,
  type ProgressOptions,
  type ProgressReport,
  progressEvents,
  type ReportOptions,
  reportProgress,
  type TrackOptions,
  track,
} from "./work/progress.ts";
export {
  type Rate,
  RateLimiter,
  type RateLimiterOptions,
  type RateStatistics,
  type RateStrategy,
} from "./work/rate-limiter.ts";
export { RateLimiterGroup } from "./work/rate-limiter-group.ts";
export { type Refusal, RefusedError } from "./work/refused.ts";
export { type Backoff, type FailedAttempt, RetryError, type RetryOptions, retry } from "./work/retry.ts";
