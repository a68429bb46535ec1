/** What the tests of interop share. */

/** What a promise gives, or the error that it is rejected with. */
export async function outcome(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    return error;
  }
}
