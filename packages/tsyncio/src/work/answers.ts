/** What a bulk call may return, and what that says of each key. */

import { isCancelled, RuntimeError, show } from "../base/errors.ts";

/** The values of the keys: in their order, or by key. An Error in place of a value is thrown to whoever wants that key. */
export type Answers<K, V, C = K> =
  | ArrayLike<V | Error>
  | ReadonlyMap<K | C, V | Error>
  | (C extends string | number ? Readonly<Record<C, V | Error>> : never);

/** Refuses what cannot be the answers for so many keys. */
export function checkAnswers(answers: unknown, count: number, title: string): void {
  const expected = `an array of ${count} values, one per key and in their order, or a Map or a plain object by key`;
  if (isList(answers)) {
    if (answers.length === count) return;
    throw wrong(`Expected the function of ${title} to return ${expected}, got ${answers.length} values`);
  }
  if (answers instanceof Map || isPlain(answers)) return;
  throw wrong(`Expected the function of ${title} to return ${expected}, got ${show(answers)}`);
}

/** The answer for one key. */
export function answerOf<V>(answers: unknown, index: number, id: unknown, title: string): { value: V } | { error: unknown } {
  let answer: unknown;
  if (isList(answers)) answer = answers[index];
  else if (answers instanceof Map ? !answers.has(id) : !Object.hasOwn(answers as object, id as PropertyKey)) {
    return {
      error: wrong(`${title} got no answer for the key ${show(id)}; if there is no value, answer undefined, null or an Error`),
    };
  } else answer = answers instanceof Map ? answers.get(id) : (answers as Record<PropertyKey, unknown>)[id as PropertyKey];
  // Nobody of those that wait was cancelled.
  if (isCancelled(answer))
    return { error: wrong(`${title} got a CancelledError as the answer for the key ${show(id)}`, answer) };
  return answer instanceof Error ? { error: answer } : { value: answer as V };
}

function isList(answers: unknown): answers is ArrayLike<unknown> {
  return Array.isArray(answers) || (ArrayBuffer.isView(answers) && !(answers instanceof DataView));
}

function isPlain(answers: unknown): boolean {
  if (typeof answers !== "object" || answers === null) return false;
  const prototype = Object.getPrototypeOf(answers);
  return prototype === null || prototype === Object.prototype;
}

function wrong(message: string, cause?: unknown): RuntimeError {
  return new RuntimeError(message, "BAD_BATCH", { cause });
}
