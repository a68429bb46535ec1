import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import type { Coroutine } from "tsyncio";
import * as library from "tsyncio";
import { describe, expect, test } from "vitest";
import { runVirtual } from "../support/virtual.ts";
import { claimsOf, compile, type Example, Tally } from "./examples.ts";

// docs/coming-from.md: its examples run in a task under virtual time, and it has each option and method of the other libraries.

const root = join(import.meta.dirname, "../../../..");
const page = "docs/coming-from.md";
const text = readFileSync(join(root, page), "utf8");

/** All that the libraries offer: options, functions, methods, properties, events, error classes. */
const theirs: Record<string, string> = {
  "p-limit 7": `
    pLimit concurrency rejectOnClear limit() activeCount pendingCount clearQueue map limitFunction`,
  "p-queue 10": `
    PQueue concurrency autoStart queueClass intervalCap interval carryoverIntervalCount strict timeout
    add addAll priority id signal setPriority start pause clear onEmpty onSizeLessThan onIdle onPendingZero
    onRateLimit onRateLimitCleared onError size sizeBy pending isPaused isRateLimited isSaturated runningTasks
    startTime timeoutRemaining
    "active" "idle" "empty" "add" "next" "completed" "error" "pendingZero" "rateLimit" "rateLimitCleared"
    addEventListener removeEventListener dispatchEvent detail TimeoutError PriorityQueue enqueue dequeue filter remove`,
  "p-map 7": `
    pMap pMapIterable pMapSettled pMapKeyed pMapSettledKeyed pMapSkip pMapStop
    concurrency stopOnError signal backpressure preserveOrder`,
  "p-retry 9": `
    pRetry makeRetriable AbortError originalError retries factor minTimeout maxTimeout randomize maxRetryTime unref
    onFailedAttempt shouldRetry shouldConsumeRetry signal error attemptNumber retriesLeft retriesConsumed retryDelay`,
  "p-timeout 8": `
    pTimeout milliseconds fallback message customTimers signal clear .cancel() TimeoutError`,
  "bottleneck 2.19": `
    Bottleneck maxConcurrent minTime highWater strategy LEAK OVERFLOW OVERFLOW_PRIORITY BLOCK penalty reservoir
    reservoirRefreshInterval reservoirRefreshAmount reservoirIncreaseInterval reservoirIncreaseAmount reservoirIncreaseMaximum
    heartbeatInterval Promise id trackDoneStatus rejectOnDrop priority weight expiration
    submit schedule wrap withOptions chain check counts jobStatus jobs Status queued empty running done stop dropWaitingJobs
    dropErrorMessage enqueueErrorMessage updateSettings currentReservoir incrementReservoir
    on once removeAllListeners Events listenerCount trigger retryCount BottleneckError
    "error" "failed" "retry" "empty" "idle" "dropped" "depleted" "debug" "received" "queued" "scheduled" "executing" "done"
    reachedHWM blocked light es5
    Group key keys limiters deleteKey "created" Batcher maxSize maxTime add "batch"
    datastore clearDatastore client clientOptions clientTimeout clusterNodes timeout Redis connection RedisConnection IORedisConnection ready
    clients channel publish disconnect clusterQueued clusterKeys "message" version`,
  "async-mutex 0.5": `
    Mutex Semaphore acquire runExclusive isLocked waitForUnlock release cancel getValue setValue withTimeout tryAcquire
    weight priority E_TIMEOUT timeoutError E_ALREADY_LOCKED alreadyAcquiredError E_CANCELED cancelError`,
  "DataLoader 2": `
    DataLoader batch maxBatchSize batchScheduleFn cache cacheKeyFn cacheMap name load loadMany clear clearAll prime`,
};

/** A heading with what follows it. */
interface Entry {
  readonly names: readonly string[];
  readonly examples: readonly Example[];
  readonly body: string;
}

interface Section {
  readonly title: string;
  readonly entries: readonly Entry[];
  /** What has no counterpart, with the reason. */
  readonly leftOut: ReadonlyMap<string, string>;
}

function quoted(line: string): string[] {
  return [...line.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);
}

/** Pieces of the page, each from its heading to the next one of the kind, with the line where it begins. */
function split(source: string, from: number, mark: string): { title: string; body: string; line: number }[] {
  const lines = source.split("\n");
  const starts = lines.flatMap((line, index) => (line.startsWith(mark) ? [index] : []));
  return starts.map((start, index) => ({
    title: (lines[start] as string).slice(mark.length),
    body: lines.slice(start + 1, starts[index + 1]).join("\n"),
    line: from + start + 1,
  }));
}

function isCoroutine(code: string): boolean {
  try {
    transformSync(`(function* () {\n${code}\n})`, { loader: "ts", logLevel: "silent" });
    return true;
  } catch {
    return false;
  }
}

function examplesIn(title: string, body: string, line: number): Example[] {
  return [...body.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => {
    const code = match[1] as string;
    const place = `${page}:${line + body.slice(0, match.index).split("\n").length}`;
    // In both spellings it runs in a task; by `noTask` it is made an async function.
    return { symbol: title, place, path: page, code, noTask: !isCoroutine(code) };
  });
}

function readSection(title: string, body: string, line: number): Section {
  const parts = split(body, line, "### ");
  const leftOut = new Map<string, string>();
  const entries: Entry[] = [];
  for (const part of parts) {
    if (part.title === "Left out, and why") {
      for (const [, names = "", reason = ""] of part.body.matchAll(/^- ([\s\S]*?): ([\s\S]*?)(?=\n- |\n*$(?![\s\S]))/gm)) {
        for (const name of quoted(names)) leftOut.set(name, reason);
      }
    } else {
      const examples = examplesIn(`${title}: ${part.title}`, part.body, part.line);
      entries.push({ names: quoted(part.title), examples, body: part.body });
    }
  }
  return { title, entries, leftOut };
}

const sections = split(text, 0, "## ").map(({ title, body, line }) => readSection(title, body, line));
const about = sections.filter(({ title }) => title in theirs);
const examples = sections.flatMap(({ entries }) => entries.flatMap((each) => each.examples));

describe("the page for those who come from other libraries", () => {
  test("has a section for each library, and nothing in between", () => {
    expect(sections.map(({ title }) => title)).toEqual(Object.keys(theirs));
  });

  test("names the versions that it was compared with: of the headings' libraries, and the same that bench measures", () => {
    const found = [...text.matchAll(/([\w-]+) (\d+\.\d+\.\d+)/g)];
    const compared = Object.fromEntries(found.map(([, name = "", version = ""]) => [name, version]));
    const bench = JSON.parse(readFileSync(join(root, "bench/package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };

    for (const title of Object.keys(theirs)) {
      const [name = "", release = ""] = title.split(" ");
      const range = bench.dependencies[name.toLowerCase()];
      expect(compared[name]?.startsWith(`${release}.`), title).toBe(true);
      if (range !== undefined) expect(`^${compared[name]}`, name).toBe(range);
    }
    expect(found).toHaveLength(Object.keys(theirs).length);
  });

  test.each(about)("$title, each option and method has an example or a reason, and is one of theirs", (section) => {
    const shown = section.entries.flatMap((each) => (each.examples.length > 0 ? each.names : []));
    const named = [...shown, ...section.leftOut.keys()];

    expect([...new Set(named)].sort()).toEqual((theirs[section.title] as string).trim().split(/\s+/).sort());
    expect(named).toHaveLength(new Set(named).size);
  });

  test.each(about)("$title, what is left out has a reason", (section) => {
    for (const [name, reason] of section.leftOut) expect(reason.length, name).toBeGreaterThan(20);
  });

  test.each(about)("$title, both spellings are shown", (section) => {
    const all = section.entries.flatMap((each) => each.examples);

    expect(all.some((each) => /\bawait\b/.test(each.code))).toBe(true);
    expect(all.some((each) => /\byield\*/.test(each.code))).toBe(true);
  });

  test("all examples are found, and make claims", () => {
    const fences = text.match(/^```\w/gm) ?? [];

    expect(examples).toHaveLength(fences.length);
    expect(examples.filter((each) => claimsOf(each) === 0).map((each) => each.place)).toEqual([]);
  });

  test.each(examples.map((each) => [each.symbol, each.place, each] as const))("%s, %s", async (_symbol, _place, example) => {
    const body = compile(example, { ...library });
    const tally = new Tally();

    const { errors, reports } = await runVirtual(() => body(tally) as Coroutine<void>);

    expect(tally.claims).toBe(claimsOf(example));
    const told = errors.map(({ message, exception }) => `${message}: ${exception}`);
    expect({ told, reports }).toEqual({ told: [], reports: [] });
  });
});
