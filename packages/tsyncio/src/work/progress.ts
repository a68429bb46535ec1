/** Progress: numbers, rates and times to go, of all tasks that have something to tell, as a tree. The door to the files beside it. */

export type { Progress } from "../kernel/progress.ts";
export {
  type ProgressReport,
  type ReportOptions,
  reportProgress,
  type TrackOptions,
  track,
} from "./progress-report.ts";
export { allProgress, onProgress, type ProgressEvents, type ProgressOptions, progressEvents } from "./progress-watch.ts";
