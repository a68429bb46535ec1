/** Finds the examples in doc comments, and makes functions of them that check what they claim. */

import { transformSync } from "esbuild";
import { expect } from "vitest";
import type { Source } from "./sources.ts";

export interface Example {
  /** The symbol that the doc comment stands at. */
  readonly symbol: string;
  /** `flow/sleep.ts:20` */
  readonly place: string;
  readonly path: string;
  readonly code: string;
  /** It runs in an async function outside of any task, not in a coroutine. */
  readonly noTask: boolean;
}

/** What the code of an example calls. */
export interface Checks {
  /** The value of `expression; // => value`. */
  equal(actual: unknown, expected: unknown, claim: string): void;
  /** What `statement; // throws Name` threw; undefined stands for nothing. */
  threw(error: unknown, name: string): void;
}

const COMMENT = /\/\*\*(?:(?!\*\/)[\s\S])*\*\//g;
const FENCE = /^@example[^\n]*\n(?:(?!@|```)[^\n]*\n)*```ts( no-task)?\n([\s\S]*?)^```/gm;
const DECLARED =
  /^\s*(?:export\s+)?(?:default\s+)?(?:abstract\s+|async\s+|static\s+|override\s+|readonly\s+)*(?:function\*?|class|const|interface|type|get)?\s*\*?\s*([\w$]+)/;

export function examplesOf(source: Source): Example[] {
  const found: Example[] = [];
  for (const comment of source.text.matchAll(COMMENT)) {
    const text = comment[0].replaceAll(/^[ \t]*(?:\/\*\*|\*\/|\*) ?/gm, "");
    const after = source.text.slice(comment.index + comment[0].length);
    for (const [fence, noTask, code] of text.matchAll(FENCE)) {
      const before = text.slice(0, text.indexOf(fence) + fence.indexOf("```"));
      const line = source.text.slice(0, comment.index).split("\n").length + before.split("\n").length;
      found.push({
        symbol: DECLARED.exec(after.trimStart())?.[1] ?? "?",
        place: `${source.path}:${line}`,
        path: source.path,
        code: code as string,
        noTask: noTask !== undefined,
      });
    }
  }
  return found;
}

const CLAIM = /^(.*?)\s*\/\/ (=>|throws) (.*)$/;

/** How many claims an example makes. */
export function claimsOf(example: Example): number {
  return example.code.split("\n").filter((line) => CLAIM.test(line)).length;
}

/** A function that runs the example, with the given names in scope. */
export function compile(example: Example, scope: Record<string, unknown>): (checks: Checks) => unknown {
  const lines: string[] = [];
  for (const line of example.code.split("\n")) {
    const [, statementEnd, kind, claim] = CLAIM.exec(line) ?? [];
    if (statementEnd === undefined) {
      lines.push(line);
      continue;
    }
    lines.push(statementEnd);
    const start = startOfStatement(lines, example);
    const statement = lines.splice(start).join("\n").replace(/;\s*$/, "");
    const quoted = JSON.stringify(claim);
    if (kind === "=>") lines.push(`__checks.equal((${statement}), (${claim}), ${quoted});`);
    else
      lines.push(`{ let thrown; try { ${statement}; } catch (error) { thrown = error; } __checks.threw(thrown, ${quoted}); }`);
  }
  const body = lines.join("\n");
  const source = `const __example = ${wrap(body, example)};`;
  const { code } = transformSync(source, { loader: "ts", target: "es2022" });
  const names = Object.keys(scope);
  return (checks) =>
    new Function("__checks", ...names, `${code}\nreturn __example();`)(checks, ...names.map((name) => scope[name]));
}

function wrap(body: string, example: Example): string {
  return `${example.noTask ? "async function" : "function*"} () {\n${body}\n}`;
}

/** The last lines that are an expression together: where a claim stands at the end of a longer statement. */
function startOfStatement(lines: string[], example: Example): number {
  for (let start = lines.length - 1; start >= 0; start--) {
    const text = lines.slice(start).join("\n").replace(/;\s*$/, "");
    try {
      transformSync(`(${wrap(`return (${text});`, example)})`, { loader: "ts", logLevel: "silent" });
      return start;
    } catch {
      // More lines belong to it.
    }
  }
  throw new SyntaxError(`${example.place}: no expression ends at ${JSON.stringify(lines.at(-1))}`);
}

/** Checks claims, and counts them: an example that claims nothing shows nothing. */
export class Tally implements Checks {
  claims = 0;

  equal(actual: unknown, expected: unknown, claim: string): void {
    this.claims++;
    expect(actual, claim).toStrictEqual(expected);
  }

  threw(error: unknown, name: string): void {
    this.claims++;
    expect(error instanceof Error ? error.name : error, `throws ${name}`).toBe(name);
  }
}
