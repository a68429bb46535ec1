/** Pairs that differ, each by a decision. */

import type { Way } from "../compare.ts";

interface Known {
  readonly name: string;
  readonly decision: string;
  readonly differs: (way: Way) => boolean;
}

const KNOWN: readonly Known[] = [
  // CPython leaves a mark on a task that awaited itself, by which the next one that awaits it is refused.
  { name: "await itself", decision: "docs/decisions/0016", differs: ({ factory }) => factory === "eager" },
  // Both start tasks eagerly, and an eager async function is not done when createTask returns.
  {
    name: "eager_start: no wait, waits, raises, self-cancel, current_task",
    decision: "docs/decisions/0007",
    differs: ({ form }) => form === "async",
  },
  {
    name: "eager factory with gather, TaskGroup, shield, wait_for",
    decision: "docs/decisions/0007",
    differs: ({ form }) => form === "async",
  },
];

/** The decision by which a pair differs when run in this way; undefined for all that must not. */
export function decisionOf(name: string, way: Way): string | undefined {
  return KNOWN.find((known) => known.name === name && known.differs(way))?.decision;
}
