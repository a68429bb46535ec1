/** What to write instead of a `yield` of something that cannot be yielded. */

/** The remedy for a value that was yielded; undefined where only the general one is known. */
export function remedyFor(value: unknown): string | undefined {
  const it = value as { next?: unknown; then?: unknown } | null | undefined;
  if (typeof it?.next === "function") return "the star is missing; write `yield* …`";
  if (typeof it?.then === "function") return "write `yield* ensureFuture(promise)`";
  if (typeof value === "function") return "call it: `yield* fn()`";
  return Array.isArray(value) ? "write `yield* gather(…)`" : undefined;
}
