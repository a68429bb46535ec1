import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Coroutine, createTask, gather, LimitOverrunError, run, sleep } from "tsyncio";
import { readChunks, readFile, readLines, withFile, writeFileAtomic } from "tsyncio/interop";
import { afterEach, beforeEach, expect, test } from "vitest";
import { outcome } from "./support.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsyncio-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The files that this process has open in the test's folder. */
function open(): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

const content = Array.from({ length: 20_000 }, (_, n) => `line ${n} äöü`).join("\n");

for (const spelling of ["function*", "async"] as const) {
  test(`readLines() gives all lines, and closes the file, ${spelling} [real]`, async () => {
    const path = join(folder, "lines");
    writeFileSync(path, `${content}\r\n\r\n\nlast`);
    const lines: string[] = [];

    await run(
      spelling === "async"
        ? async () => {
            for await (const line of readLines(pathToFileURL(path))) lines.push(line);
          }
        : function* () {
            const source = readLines(path);
            for (let step = yield* source.next(); step.done !== true; step = yield* source.next()) lines.push(step.value);
          },
    );

    expect(lines).toEqual([...content.split("\n"), "", "", "last"]);
    expect(open()).toEqual([]);
  });
}

test("readLines() knows encodings, and splits no character that lies over two chunks [real]", async () => {
  const path = join(folder, "lines");

  const seen = await run(async () => {
    const all = async (text: Buffer, encoding: string): Promise<string[]> => {
      writeFileSync(path, text);
      const lines: string[] = [];
      for await (const line of readLines(path, { encoding })) lines.push(line);
      return lines;
    };
    const wide = `${"€".repeat(65_537)}\nb`;
    return [
      (await all(Buffer.from(wide), "utf-8")).join("\n") === wide,
      await all(Buffer.from("ä\nb\n", "utf16le"), "utf-16le"),
      await all(Buffer.from("ä\nb", "latin1"), "latin1"),
      await all(Buffer.from(""), "utf-8"),
    ];
  });

  expect(seen).toEqual([true, ["ä", "b"], ["ä", "b"], []]);
});

test("readLines() gives lines up to its limit, throws at a longer one, and closes the file [real]", async () => {
  const path = join(folder, "lines");
  writeFileSync(path, "12345\r\n12345\n123456\n1");

  const seen = await run(async () => {
    const source = readLines(path, { limit: 5 });
    return [await source.next(), await source.next(), await outcome(source.next()), await source.next()];
  });

  expect(seen).toEqual([
    { done: false, value: "12345" },
    { done: false, value: "12345" },
    expect.any(LimitOverrunError),
    { done: true, value: undefined },
  ]);
  expect(open()).toEqual([]);
});

test("readChunks() gives chunks of the size at most, to several consumers each once [real]", async () => {
  const path = join(folder, "chunks");
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 256));
  writeFileSync(path, bytes);

  const seen = await run(async () => {
    const source = readChunks(path, { size: 300 });
    const steps = await gather(source.next(), source.next(), source.next(), source.next(), source.next());
    return steps.map((step) => step.value);
  });

  expect(seen.map((chunk) => chunk?.length)).toEqual([300, 300, 300, 100, undefined]);
  expect(Buffer.concat(seen.filter((chunk) => chunk !== undefined)).equals(bytes)).toBe(true);
  expect(open()).toEqual([]);
});

for (const way of ["break", "throw", "cancel", "close"] as const) {
  test(`readChunks() closes the file, by ${way} [real]`, async () => {
    const path = join(folder, "chunks");
    writeFileSync(path, content);

    await run(async () => {
      const task = createTask(async () => {
        const source = readChunks(path, { size: 10 });
        if (way === "close") {
          await source.next();
          await source.close();
          return;
        }
        for await (const _ of source) {
          if (way === "break") break;
          if (way === "throw") throw new Error("thrown");
        }
      });
      await sleep(5);
      if (way === "cancel") task.cancel();
      await task.join();
      expect(open()).toEqual([]);
    });
  });
}

test("readChunks() loses no byte, when waits for it are cancelled, at whatever moment [real]", async () => {
  const path = join(folder, "chunks");
  const bytes = Buffer.from(Array.from({ length: 2000 }, (_, i) => i % 251));
  writeFileSync(path, bytes);
  const got: Uint8Array[] = [];

  await run(async () => {
    const source = readChunks(path, { size: 7 });
    for (let n = 0; ; n++) {
      const waiting = createTask(source.next());
      for (let i = 0; i < n % 5; i++) await sleep(0);
      if (n % 3 !== 0) waiting.cancel();
      await waiting.join();
      if (waiting.cancelled()) continue;
      const step = waiting.result();
      if (step.done === true) break;
      got.push(step.value);
    }
  });

  expect(Buffer.concat(got).equals(bytes)).toBe(true);
  expect(open()).toEqual([]);
});

test("withFile() reads and writes, and closes the file in every way out [real]", async () => {
  const path = join(folder, "file");

  const seen = await run(function* () {
    yield* withFile(path, "w", function* (file) {
      yield* gather(file.write("one "), file.write(new TextEncoder().encode("two ")), file.write("three"));
      yield* file.sync();
    });
    const text = yield* withFile(path, "r", async (file) => {
      const [a, b] = [await file.read(5), await file.read()];
      return [a, b, await file.read()].map((bytes) => new TextDecoder().decode(bytes));
    });
    const failing = createTask(
      withFile(path, "r", () => {
        throw new Error("in body");
      }),
    );
    yield* failing.join();
    const cancelled = createTask(withFile(path, "r", () => sleep("1h")));
    yield* sleep(10);
    yield* cancelled.cancelAndWait();
    return [text, (failing.exception() as Error).message, cancelled.cancelled()];
  });

  expect(seen).toEqual([["one t", "wo three", ""], "in body", true]);
  expect(open()).toEqual([]);
});

test("readFile() reads bytes or text, and is cancelled with nothing left open [real]", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "text");
  const large = join(folder, "large");
  writeFileSync(large, "");
  truncateSync(large, 200_000_000);

  const seen = await run(async () => {
    const task = createTask(readFile(large));
    await sleep(2);
    await task.cancelAndWait();
    expect(open()).toEqual([]);
    const missing = (await outcome(readFile(join(folder, "missing")))) as { code: string };
    return [task.cancelled(), (await readFile(path)).length, await readFile(path, { encoding: "utf8" }), missing.code];
  });

  expect(seen).toEqual([true, 4, "text", "ENOENT"]);
});

test("writeFileAtomic() replaces the content, keeps mode and links, and leaves nothing beside the file [real]", async () => {
  const [path, link] = [join(folder, "file"), join(folder, "link")];
  writeFileSync(path, "old");
  chmodSync(path, 0o640);
  symlinkSync(path, link);

  await run(function* () {
    yield* writeFileAtomic(link, "new");
    yield* writeFileAtomic(pathToFileURL(join(folder, "fresh")), new Uint8Array([65]), { mode: 0o600 });
  });

  expect(readFileSync(path, "utf8")).toBe("new");
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect([readFileSync(join(folder, "fresh"), "utf8"), statSync(join(folder, "fresh")).mode & 0o777]).toEqual(["A", 0o600]);
  expect(readdirSync(folder).sort()).toEqual(["file", "fresh", "link"]);
});

test("writeFileAtomic() leaves the old file and nothing beside it, when it is cancelled at whatever moment [real]", async () => {
  const path = join(folder, "file");
  const data = "n".repeat(3_000_000);
  let cancelled = 0;

  await run(function* (): Coroutine<void> {
    for (let turns = 0; turns < 60; turns++) {
      writeFileSync(path, "old");
      const task = createTask(writeFileAtomic(path, data));
      for (let i = 0; i < turns; i++) yield* sleep(i % 4 === 0 ? 0.2 : 0);
      task.cancel();
      yield* task.join();
      if (task.cancelled()) cancelled++;
      const found = readFileSync(path, "utf8");
      expect(found === data || found === "old").toBe(true);
      if (!task.cancelled()) expect(found).toBe(data);
      expect(readdirSync(folder)).toEqual(["file"]);
      expect(open()).toEqual([]);
    }
  });

  expect(cancelled).toBeGreaterThan(0);
});

test("writeFileAtomic() fails with nothing left, when it cannot rename [real]", async () => {
  const path = join(folder, "folder");
  mkdirSync(join(path, "full"), { recursive: true });

  const seen = (await run(() => outcome(writeFileAtomic(path, "x")))) as { code: string };

  expect(seen.code).toMatch(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(readdirSync(folder)).toEqual(["folder"]);
});

test("operations on files refuse wrong arguments, at once", () => {
  expect(() => readFile("")).toThrow(TypeError);
  expect(() => readFile(new URL("http://a/"))).toThrow(TypeError);
  expect(() => readChunks("x", { size: 0 })).toThrow(RangeError);
  expect(() => readLines("x", { limit: -1 })).toThrow(RangeError);
  expect(() => readLines("x", { encoding: "nonsense" })).toThrow(RangeError);
  expect(() => withFile("x", "r", 5 as never)).toThrow(TypeError);
  expect(() => withFile("x", 5 as never, () => {})).toThrow(TypeError);
  expect(() => writeFileAtomic("x", 5 as never)).toThrow(TypeError);
  expect(() => writeFileAtomic("x", "", { mode: -1 })).toThrow(TypeError);
});
