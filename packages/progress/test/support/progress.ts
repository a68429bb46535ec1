/** Pictures of progress, as the library would take them. */

import type { Progress } from "tsyncio";

let ids = 0;

export function picture(given: Partial<Progress> = {}): Progress {
  const { done = 0, total } = given;
  return {
    id: ++ids,
    name: "work",
    parentId: 0,
    state: "running",
    done,
    total,
    unit: undefined,
    message: undefined,
    fraction: total === undefined ? undefined : Math.min(1, done / total),
    rate: undefined,
    eta: undefined,
    startedAt: 0,
    elapsed: 0,
    children: [],
    ...given,
  };
}
