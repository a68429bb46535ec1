import type { Coroutine } from "tsyncio";
import * as library from "tsyncio";
import * as interop from "tsyncio/interop";
import * as net from "tsyncio/net";
import * as subprocess from "tsyncio/subprocess";
import * as testing from "tsyncio/testing";
import { describe, expect, test } from "vitest";
import { runVirtual } from "../support/virtual.ts";
import { type Checks, claimsOf, compile, type Example, examplesOf, Tally } from "./examples.ts";
import { readSources } from "./sources.ts";

// Every example in a doc comment runs: `expression; // => value` is compared, `statement; // throws Name` must throw.

const sources = [...readSources().values()];
const examples = sources.flatMap(examplesOf);

async function scopeOf(example: Example): Promise<Record<string, unknown>> {
  const file = `../../src/${example.path}`;
  return { ...library, ...testing, ...interop, ...net, ...subprocess, ...((await import(file)) as object) };
}

/** Sockets, files and processes know no virtual time. */
const REAL = /^(net|subprocess|interop)\/(?!interval)/;

/** Runs a job in real time, and tells what went wrong unseen. */
async function runReal(job: () => Coroutine<void>): Promise<{ errors: unknown[]; reports: string[] }> {
  const errors: unknown[] = [];
  const loop = new library.EventLoop();
  loop.setExceptionHandler((_, context) => errors.push(context));
  await library.run(job, { loop, signals: [] });
  return { errors, reports: [] };
}

describe("examples in doc comments", () => {
  test("are found, all over src", () => {
    const fences = sources.flatMap((each) => each.text.match(/^\s*\* ```ts/gm) ?? []);

    expect(examples.length).toBeGreaterThan(20);
    expect(examples.length).toBe(fences.length);
  });

  test("make a claim, each", () => {
    expect(examples.filter((each) => claimsOf(each) === 0).map((each) => each.place)).toEqual([]);
  });

  const inTask = examples.filter((each) => !each.noTask);
  test.for(inTask.map((each) => [each.symbol, each.place, each] as const))(
    "%s, does what its example says, %s",
    async (entry) => {
      const example = entry[2];
      const body = compile(example, await scopeOf(example));
      const tally = new Tally();

      const play = REAL.test(example.path) ? runReal : runVirtual;
      const { errors, reports } = await play(() => body(tally) as Coroutine<void>);

      expect(tally.claims).toBe(claimsOf(example));
      expect({ errors, reports }).toEqual({ errors: [], reports: [] });
    },
  );

  const outside = examples.filter((each) => each.noTask);
  test.for(outside.map((each) => [each.symbol, each.place, each] as const))(
    "%s, does what its example says, %s [real]",
    async (entry) => {
      const example = entry[2];
      const body = compile(example, await scopeOf(example));
      const tally = new Tally();

      await body(tally);

      expect(tally.claims).toBe(claimsOf(example));
    },
  );
});

describe("compile()", () => {
  const example = (code: string, noTask = false): Example => ({ symbol: "x", place: "x:1", path: "x", code, noTask });
  const record = (): Checks & { log: unknown[] } => {
    const log: unknown[] = [];
    return {
      log,
      equal: (actual, expected) => log.push([actual, expected]),
      threw: (error, name) => log.push([(error as Error | undefined)?.name, name]),
    };
  };

  test("compares the value of a statement of many lines, with what stands behind its end", () => {
    const checks = record();

    [
      ...(compile(
        example("const a: number = 1;\n[a, 2].map((n) => {\n  return n * 2;\n}); // => [2, 4]"),
        {},
      )(checks) as Iterable<never>),
    ];

    expect(checks.log).toEqual([
      [
        [2, 4],
        [2, 4],
      ],
    ]);
  });

  test("tells what was thrown, and that nothing was", async () => {
    const checks = record();

    await compile(example("null.x; // throws TypeError\nawait 1; // throws TypeError", true), {})(checks);

    expect(checks.log).toEqual([
      ["TypeError", "TypeError"],
      [undefined, "TypeError"],
    ]);
  });
});
