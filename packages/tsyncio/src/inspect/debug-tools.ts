/** What debug mode reports with: places, stacks, slow steps, swallowed cancellations, operations never awaited. */

import { closed } from "../base/at-close.ts";
import type { DebugTools } from "../kernel/debug-tools.ts";
import { remedyFor } from "./bad-yield.ts";
import { formatStack, stackOf } from "./format-stack.ts";
import { noteStarted, noteUnstarted, reportUnstarted } from "./never-awaited.ts";
import { noteOrigin, originOf } from "./origin.ts";
import { runTimed, swallowed } from "./slow.ts";

export const debugTools: DebugTools = {
  noteOrigin,
  originOf,
  stackOf,
  formatStack,
  runTimed,
  swallowed,
  noteUnstarted,
  noteStarted,
  closed: (loop) => {
    reportUnstarted(loop);
    closed(loop);
  },
  remedyFor,
};
