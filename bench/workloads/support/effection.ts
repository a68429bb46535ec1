import { action, type Operation } from "effection";

/**
 * Effection's cheapest suspension: an action that is over at once. The task still goes back into the scheduler's queue, behind
 * its siblings that are ready.
 */
export const pass: Operation<void> = action((resolve) => {
  resolve();
  return () => {};
});
