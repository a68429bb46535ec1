/** Primitives belong to the loop that uses them first; another loop's use is refused at once, contended or not. */

import { RuntimeError, unexpected } from "../base/errors.ts";
import { current, getRunningLoop } from "../kernel/current.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { LineOrder } from "../kernel/priority.ts";

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

/** What a primitive that has a line of waiters takes. */
export interface LineOptions {
  /** Shown in wait graphs. */
  readonly name?: string | undefined;
  /**
   * Who goes first: whoever came first (`"arrival"`, the default), or whoever has the highest priority (`"priority"`; see
   * `Task.priority`). Of those, each lets at most 16 go first that came later.
   */
  readonly order?: "arrival" | "priority" | undefined;
}

/** The name in a primitive's options; refuses a bare name, which would be ignored without a word. */
export function nameIn(options: { readonly name?: string | undefined } | undefined): string | undefined {
  if (options !== undefined && typeof options !== "object") {
    throw unexpected("`options` to be an object such as { name }", options);
  }
  return options?.name;
}

/** The order in a primitive's options; null is that of arrival. */
export function orderIn(options: LineOptions | undefined): LineOrder | null {
  const order = options?.order ?? "arrival";
  if (order === "arrival") return null;
  if (order !== "priority") throw unexpected('`order` to be "arrival" or "priority"', order);
  return current.priorities;
}
