/** A behaviour by name, written in both languages by hand. */

import * as library from "tsyncio";
import { asAsync, type Form, isCalled } from "./form.ts";
import type { Factory } from "./program.ts";
import { Boom, show, showError, type Tools, type Trace, traceOf } from "./trace.ts";

/**
 * Source texts that define `main`, with `log`, `loop`, `Boom`, `fmt` (a value in words), `err` (an error in words) and
 * `a(label, …)` (awaits and logs how it ended) in reach.
 *
 * The script is written with `function*`; the other forms are made from its text. `@work(1)` in it is a job in the words of
 * the form: `work(1)` where a call gives a coroutine, `() => work(1)` elsewhere.
 */
export interface Pair {
  readonly name: string;
  readonly python: string;
  readonly script: string;
  /** Forms in which it means nothing. */
  readonly without?: readonly Form[];
}

/** Makes pairs that start with the same definitions. */
export function pairsWith(python: string, script: string): (name: string, python: string, script: string) => Pair {
  return (name, ownPython, ownScript) => ({ name, python: python + ownPython, script: script + ownScript });
}

const PRELUDE = `
function* a(label, make) {
  try { const r = yield* make(); log(label + "=" + fmt(r)); return r; }
  catch (e) { log(label + "!" + err(e)); }
}
`;

/** The trace of the pair's script in one of the forms. */
export function runScript(pair: Pair, form: Form, factory: Factory = "lazy"): Promise<Trace> {
  let text = (PRELUDE + pair.script).replace(/@(?=\w)/g, isCalled(form) ? "" : "() => ");
  if (form === "async") text = asAsync(text);
  if (form === "wrapped") {
    for (const [, name] of text.matchAll(/^function\* (\w+)/gm)) if (name !== "main") text += `\n${name} = coroutine(${name});`;
  }
  return traceOf((tools) => evaluate(text, tools), factory === "eager");
}

function evaluate(text: string, tools: Tools): library.Job<unknown> {
  const names = { ...library, Boom, err: showError, fmt: show, ...tools };
  return new Function(...Object.keys(names), `${text}\nreturn main;`)(...Object.values(names));
}
