/** @tsyncio/progress: the progress of tsyncio's tasks in a terminal. */

export { type FrameOptions, renderFrame, renderLine } from "./render.ts";
export type { ShowOptions } from "./settings.ts";
export { type ProgressDisplay, showProgress } from "./show.ts";
export type { OutputStream } from "./stream.ts";
