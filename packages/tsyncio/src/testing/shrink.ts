/** Makes a failing schedule small: nearer to first come, first served, as long as it fails in the same way. */

import type { Injection } from "./schedule.ts";

export interface Candidate {
  /** Decisions that differ from first come, first served: their number and the entry that went. */
  readonly deviations: readonly (readonly [decision: number, choice: number])[];
  readonly injections: readonly Injection[];
}

/** Runs a candidate: the deviations that really took effect if it fails in the same way, else null. */
export type Try = (candidate: Candidate) => Promise<Candidate | null>;

/** Re-runs that shrinking may take. */
const MAX_TRIES = 1000;

/** The smallest candidate that was found, starting from one that fails. */
export async function shrink(failing: Candidate, run: Try): Promise<Candidate> {
  let best = failing;
  let tries = 0;
  const attempt = async (candidate: Candidate): Promise<boolean> => {
    if (tries++ >= MAX_TRIES) return false;
    const failed = await run(candidate);
    // What remains may have become longer, as other decisions came up; then nothing is won.
    if (failed === null || !isSmaller(failed, best)) return false;
    best = failed;
    return true;
  };

  if (best.injections.length > 0) await attempt({ ...best, injections: [] });
  // Blocks of deviations are left out, half of them first, then smaller ones, down to each by itself.
  for (let size = best.deviations.length; size >= 1; ) {
    let removed = false;
    for (let start = 0; start < best.deviations.length; ) {
      const rest = [...best.deviations.slice(0, start), ...best.deviations.slice(start + size)];
      if (await attempt({ ...best, deviations: rest })) removed = true;
      else start += size;
    }
    size = removed && size === 1 ? 1 : Math.floor(size / 2);
  }
  // Whoever goes instead, rather one that has been ready for longer.
  for (let i = 0; i < best.deviations.length; i++) {
    const [decision, choice] = best.deviations[i] as readonly [number, number];
    for (let less = 1; less < choice; less++) {
      const deviations = best.deviations.map((each, index) => (index === i ? ([decision, less] as const) : each));
      if (await attempt({ ...best, deviations })) break;
    }
  }
  return best;
}

function isSmaller(a: Candidate, b: Candidate): boolean {
  const [x, y] = [sizeOf(a), sizeOf(b)];
  return x[0] < y[0] || (x[0] === y[0] && x[1] < y[1]);
}

function sizeOf({ deviations, injections }: Candidate): [number, number] {
  return [deviations.length + injections.length, deviations.reduce((sum, [, choice]) => sum + choice, 0)];
}
