/** Makes a failing schedule small: nearer to first come, first served, as long as it fails in the same way. */

import type { Injection } from "./schedule.ts";
import { Exhaustive } from "./search.ts";
import type { Outcome } from "./simulate.ts";
import { type Chooser, Prescribed } from "./strategies.ts";

export interface Candidate {
  /** Decisions that differ from first come, first served: their number and the entry that went. */
  readonly deviations: readonly (readonly [decision: number, choice: number])[];
  readonly injections: readonly Injection[];
}

/** Runs the scenario, and tells whether it failed in the same way. */
export type Try = (chooser: Chooser, injections: readonly Injection[]) => Promise<{ outcome: Outcome; same: boolean }>;

/** Steps that each of the two ways may take: about a quarter of a second. */
const BUDGET = 50_000;

/** The smallest candidate that was found, starting from one that fails. */
export async function shrink(failing: Candidate, run: Try): Promise<Candidate> {
  const shorter = await leaveOut(failing, run);
  // Leaving things out stops where each one needs the others, though a few elsewhere may do.
  const fresh = await searchShorter(shorter, run);
  return fresh === null ? shorter : leaveOut(fresh, run);
}

async function leaveOut(failing: Candidate, run: Try): Promise<Candidate> {
  let best = failing;
  let steps = 0;
  const attempt = async (candidate: Candidate): Promise<boolean> => {
    if (steps >= BUDGET) return false;
    const { outcome, same } = await run(new Prescribed(new Map(candidate.deviations)), candidate.injections);
    steps += outcome.steps;
    // The deviations that took effect. What is left may have become longer, as other decisions came up; then nothing is won.
    const failed = { deviations: deviationsOf(outcome), injections: candidate.injections };
    if (!same || !isSmaller(failed, best)) return false;
    best = failed;
    return true;
  };

  if (best.injections.length > 0) await attempt({ ...best, injections: [] });
  // Blocks of deviations, half of them first, then smaller ones, down to each by itself.
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

/** Tries the schedules with the fewest deviations; null if none with fewer than the given one fails soon. */
async function searchShorter({ deviations, injections }: Candidate, run: Try): Promise<Candidate | null> {
  let steps = 0;
  const [cancel, another] = injections;
  // The same task cancelled elsewhere may fail without any deviation.
  const places = cancel === undefined || another !== undefined || deviations.length === 0 ? 0 : cancel.step + 1;
  for (let step = 0; step < places && steps < BUDGET; step++) {
    const moved = [{ ...(cancel as Injection), step }];
    const { outcome, same } = await run(new Prescribed(), moved);
    steps += outcome.steps;
    if (same) return { deviations: [], injections: moved };
  }
  const search = new Exhaustive();
  while (steps < BUDGET) {
    const chooser = search.next();
    if (chooser === null || search.depth >= deviations.length) return null;
    const { outcome, same } = await run(chooser, injections);
    steps += outcome.steps;
    if (same) return { deviations: deviationsOf(outcome), injections };
    search.learn(outcome);
  }
  return null;
}

/** Where a run went another way than first come, first served. */
export function deviationsOf({ choices }: Outcome): [number, number][] {
  return choices.flatMap((choice, decision): [number, number][] => (choice === 0 ? [] : [[decision, choice]]));
}

function isSmaller(a: Candidate, b: Candidate): boolean {
  const [x, y] = [sizeOf(a), sizeOf(b)];
  return x[0] < y[0] || (x[0] === y[0] && x[1] < y[1]);
}

function sizeOf({ deviations, injections }: Candidate): [number, number] {
  return [deviations.length + injections.length, deviations.reduce((sum, [, choice]) => sum + choice, 0)];
}
