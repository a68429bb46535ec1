/** Throws unless a Run did all that it was asked to do: the time of work that was not done says nothing. */
export function did(done: number, asked: number): void {
  if (done !== asked) throw new Error(`did ${done} of ${asked} operations`);
}
