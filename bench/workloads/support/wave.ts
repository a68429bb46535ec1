/** How many are handed over at once. */
export const WAVE = 1000;

/** The numbers of the wave that begins at `from`, of `n` in all. */
export function wave(from: number, n: number): number[] {
  const numbers = [];
  for (let i = from; i < Math.min(n, from + WAVE); i++) numbers.push(i);
  return numbers;
}

/** A job for libraries of promises: it suspends once. */
export async function job(): Promise<number> {
  await null;
  return 1;
}
