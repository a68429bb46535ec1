/** The four ways to write a coroutine for tsyncio; every program is run in each of them. */

/**
 * - `gen` a `function*`, called: `createTask(work(1))`
 * - `wrapped` a `function*` inside of `coroutine()`, called
 * - `thunk` a `function*` that the library calls: `createTask(() => work(1))`
 * - `async` an async function that the library calls
 */
export type Form = "gen" | "wrapped" | "thunk" | "async";

export const FORMS: readonly Form[] = ["gen", "wrapped", "thunk", "async"];

/** The text of a program that is written with `function*`, with async functions. Async generators stay what they are. */
export function asAsync(text: string): string {
  return text
    .replace(/async function\*/g, "\0")
    .replace(/function\*/g, "async function")
    .replace(/yield\*/g, "await")
    .replace(/\0/g, "async function*");
}

/** Whether calling a function of this form starts nothing and gives a coroutine; otherwise it has to be passed as a function. */
export function isCalled(form: Form): boolean {
  return form === "gen" || form === "wrapped";
}
