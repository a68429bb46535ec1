/** Primitives belong to the loop that uses them first; another loop's use is refused at once, contended or not. */

import { RuntimeError, unexpected } from "../base/errors.ts";
import { current, getRunningLoop } from "../kernel/current.ts";
import type { EventLoop } from "../kernel/loop.ts";

export interface LoopBound {
  /** @internal The loop of the first use; null before. */
  _loop: EventLoop | null;
}

/** Binds a primitive to the running loop, or checks that it is bound to it; returns the loop. A closed loop lets go. */
export function bindLoop(primitive: LoopBound): EventLoop {
  const loop = getRunningLoop();
  if (primitive._loop === loop) return loop;
  if (primitive._loop !== null && !primitive._loop.isClosed()) {
    throw new RuntimeError(`Cannot use ${primitive} here: it belongs to another event loop; make one per run()`, "OTHER_LOOP");
  }
  primitive._loop = loop;
  current.probe?.bound(primitive, loop);
  return loop;
}

/** The name in a primitive's options; refuses a bare name, which would be ignored without a word. */
export function nameIn(options: { readonly name?: string | undefined } | undefined): string | undefined {
  if (options !== undefined && typeof options !== "object") {
    throw unexpected("`options` to be an object such as { name }", options);
  }
  return options?.name;
}
