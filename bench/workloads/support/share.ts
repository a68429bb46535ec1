/** Divides `n` operations among a number of tasks: the share of each. */
export function share(n: number, tasks: number): number[] {
  return Array.from({ length: tasks }, (_, i) => Math.floor((n + i) / tasks));
}
