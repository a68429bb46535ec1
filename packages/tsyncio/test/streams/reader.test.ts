import { createTask, gather, IncompleteReadError, LimitOverrunError, type Operation, sleep, timeout } from "tsyncio";
import { cancelEverywhere, explore } from "tsyncio/testing";
import { describe, expect, test } from "vitest";
import { type ByteSource, StreamReader } from "../../src/streams/reader.ts";
import { virtually } from "../support/virtual.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

function fed(...parts: (string | null)[]): StreamReader {
  const reader = new StreamReader({ limit: 8 });
  for (const part of parts) {
    if (part === null) reader.feedEof();
    else reader.feedData(bytes(part));
  }
  return reader;
}

/** The text that a read gives, or its error. */
function* outcome(read: () => Operation<Buffer>) {
  try {
    return (yield* read()).toString("latin1");
  } catch (error) {
    return error as Error;
  }
}

/** A read per line: what is fed, how it is read, what that gives, and what is left. */
const reads: [
  title: string,
  parts: (string | null)[],
  read: (reader: StreamReader) => Operation<Buffer>,
  text: string,
  left: number,
][] = [
  ["read(n), gives what there is, if that is less", ["ab"], (r) => r.read(5), "ab", 0],
  ["read(n), leaves what is more", ["abc", "def"], (r) => r.read(4), "abcd", 2],
  ["read(n), gives nothing at the end", [null], (r) => r.read(5), "", 0],
  ["read(0), gives nothing", ["abc"], (r) => r.read(0), "", 3],
  ["read(), gives all until the end", ["abc", "def", null], (r) => r.read(), "abcdef", 0],
  ["read(-1), is as in asyncio", ["abc", null], (r) => r.read(-1), "abc", 0],
  ["readexactly(n), crosses pieces", ["abc", "def"], (r) => r.readexactly(5), "abcde", 1],
  ["readexactly(0), gives nothing", [], (r) => r.readexactly(0), "", 0],
  ["readline(), takes the newline along", ["ab\ncd\n"], (r) => r.readline(), "ab\n", 3],
  ["readline(), gives what is left at the end", ["ab", null], (r) => r.readline(), "ab", 0],
  ["readline(), gives nothing after the end", [null], (r) => r.readline(), "", 0],
  ["readuntil(), finds a separator across pieces", ["ab\r", "\ncd"], (r) => r.readuntil("\r\n"), "ab\r\n", 2],
  ["readuntil(), is not misled by the beginning of one", ["a\r\r", "\nx"], (r) => r.readuntil("\r\n"), "a\r\r\n", 1],
  ["readuntil(), takes bytes, too", ["ab", "\0c"], (r) => r.readuntil(Uint8Array.of(0)), "ab\0", 1],
  ["readuntil(), takes the separator that ends first", ["ab\r\ncd\n"], (r) => r.readuntil(["\n", "\r\n"]), "ab\r\n", 3],
  ["readuntil(), takes the one that is there", ["ab--c"], (r) => r.readuntil(["\n", "--"]), "ab--", 1],
  ["readuntil(), lets a separator end behind the limit", ["12345678\r\n"], (r) => r.readuntil("\r\n"), "12345678\r\n", 0],
];

test.each(reads)("StreamReader.%s", async (_, parts, read, text, left) => {
  await virtually(function* () {
    const reader = fed(...parts);

    expect(yield* outcome(() => read(reader))).toBe(text);
    expect(reader.buffered).toBe(left);
  });
});

test.each(reads)("StreamReader.%s, when each byte comes by itself", async (_, parts, read, text) => {
  await virtually(function* () {
    const reader = fed();
    const found = createTask(outcome(() => read(reader)));
    for (const part of parts) {
      yield* sleep(0);
      if (part === null) reader.feedEof();
      else {
        for (const byte of bytes(part)) {
          reader.feedData(Buffer.of(byte));
          yield* sleep(0);
        }
      }
    }
    yield* sleep(0);
    if (!found.done()) reader.feedEof();
    const got = yield* found;

    // `read(n)` gives what there is, which is the first byte.
    expect(/^read\(n\)/.test(_) ? text.startsWith(got as string) : got === text).toBe(true);
  });
});

test.each<[string, (string | null)[], (reader: StreamReader) => Operation<Buffer>, object, number]>([
  [
    "readexactly(), tells what there was at the end, and takes it",
    ["abc", null],
    (r) => r.readexactly(5),
    { name: "IncompleteReadError", expected: 5, partial: bytes("abc") },
    0,
  ],
  [
    "readuntil(), tells what there was at the end, and takes it",
    ["abc", null],
    (r) => r.readuntil("\n"),
    { name: "IncompleteReadError", expected: undefined, partial: bytes("abc") },
    0,
  ],
  [
    "readuntil(), leaves what is above the limit, when there is no separator",
    ["12345678901"],
    (r) => r.readuntil("\r\n"),
    { name: "LimitOverrunError", consumed: 10 },
    11,
  ],
  [
    "readuntil(), leaves what is above the limit, when the separator is behind it",
    ["123456789\r\nx"],
    (r) => r.readuntil("\r\n"),
    { name: "LimitOverrunError", consumed: 9 },
    12,
  ],
  ["readline(), throws a line above the limit away", ["123456789\nx"], (r) => r.readline(), { name: "LimitOverrunError" }, 1],
  [
    "readline(), throws away what it has of one without end",
    ["1234567890"],
    (r) => r.readline(),
    { name: "LimitOverrunError" },
    0,
  ],
])("StreamReader.%s", async (_, parts, read, error, left) => {
  await virtually(function* () {
    const reader = fed(...parts);

    expect(yield* outcome(() => read(reader))).toMatchObject(error);
    expect(reader.buffered).toBe(left);
  });
});

test("StreamReader.read() and its like, refuse what is no count and no separator, at once", () => {
  const reader = fed();

  expect(() => reader.read(1.5)).toThrow("Expected `n` to be an integer ≥ 0, got 1.5 (number)");
  expect(() => reader.read(-2)).toThrow("Expected `n` to be an integer ≥ 0");
  expect(() => reader.readexactly(-1)).toThrow("Expected `n` to be an integer ≥ 0, got -1 (number)");
  expect(() => reader.readexactly(Number.NaN)).toThrow("Expected `n` to be an integer ≥ 0, got NaN");
  expect(() => reader.readuntil("")).toThrow("Expected each separator to have at least one byte");
  expect(() => reader.readuntil([])).toThrow("Expected `separator` to be bytes, a string, or an array of these");
  // @ts-expect-error a number is no separator
  expect(() => reader.readuntil([10])).toThrow("Expected each separator to be bytes or a string, got 10");
  expect(() => new StreamReader({ limit: 0 })).toThrow("Expected `limit` to be an integer ≥ 1, got 0 (number)");
  // @ts-expect-error text is no data
  expect(() => reader.feedData("text")).toThrow("Expected `data` to be a Uint8Array");
  reader.feedEof();
  expect(() => reader.feedData(bytes("x"))).toThrow("Cannot feed data: the stream has ended");
});

test("StreamReader.read(), is refused while another task reads, which gets its bytes", async () => {
  await virtually(function* () {
    const reader = fed();
    const first = createTask(reader.readline());
    yield* sleep(0);

    expect(yield* outcome(() => reader.read(1))).toMatchObject({ code: "READER_BUSY" });
    reader.feedData(bytes("a\n"));
    expect((yield* first).toString()).toBe("a\n");
  });
});

test("StreamReader.setException(), is thrown to whoever reads, now and later", async () => {
  await virtually(function* () {
    const reader = fed("abc");
    const waiting = createTask(outcome(() => reader.readline()));
    yield* sleep(0);
    const broken = new RangeError("broken");
    reader.setException(broken);

    expect(yield* waiting).toBe(broken);
    expect(yield* outcome(() => reader.read(1))).toBe(broken);
    expect(reader.exception()).toBe(broken);
  });
});

test("StreamReader, iterated by `for await`, gives the lines until the end", async () => {
  await virtually(async () => {
    const reader = fed("a\nb\n", "c", null);
    const lines: string[] = [];
    for await (const line of reader) lines.push(line.toString());

    expect(lines).toEqual(["a\n", "b\n", "c"]);
    expect(reader.atEof()).toBe(true);
  });
});

describe("the source of a StreamReader", () => {
  class Source implements ByteSource {
    readonly log: string[] = [];
    describe = () => "a source";
    pauseReading(): void {
      this.log.push("pause");
    }
    resumeReading(): void {
      this.log.push("resume");
    }
  }

  test("is held back above twice the limit, and goes on at the limit", async () => {
    await virtually(function* () {
      const reader = fed();
      const source = new Source();
      reader.setSource(source);
      reader.feedData(bytes("x".repeat(16)));
      expect(source.log).toEqual([]);
      reader.feedData(bytes("y"));
      expect(source.log).toEqual(["pause"]);
      yield* reader.read(8);
      expect(source.log).toEqual(["pause"]);
      yield* reader.read(1);
      expect(source.log).toEqual(["pause", "resume"]);
    });
  });

  test("goes on when somebody needs more than there is, whatever the limit", async () => {
    await virtually(function* () {
      const reader = fed();
      const source = new Source();
      reader.setSource(source);
      reader.feedData(bytes("x".repeat(20)));
      const read = createTask(reader.readexactly(100));
      yield* sleep(0);
      expect(source.log).toEqual(["pause", "resume"]);
      for (let i = 0; i < 3; i++) reader.feedData(bytes("x".repeat(20)));
      expect(source.log).toEqual(["pause", "resume"]);
      reader.feedData(bytes("x".repeat(20)));
      expect((yield* read).length).toBe(100);
    });
  });
});

/** Numbers from 0 to below `n`, the same ones for the same seed. */
function random(seed: number): (n: number) => number {
  let state = seed * 2654435761 + 1;
  return (n) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) | 0;
    return (state >>> 0) % n;
  };
}

test("StreamReader, loses, repeats and invents no byte, however they are split, and whatever is cancelled", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const text = (n: number): string => Array.from({ length: n }, () => "ab\r;x"[next(5)]).join("");
    const expected: string[] = [];
    let all = "";
    for (let i = next(6); i >= 0; i--) {
      const line = `${text(next(6)).replaceAll(";", "")}\n`;
      const body = text(line.length * 3);
      const rest = `${text(next(5)).replaceAll(/;|\r(?=\n)/g, "")}${next(2) ? ";" : "\r\n"}`;
      all += line + body + rest;
      expected.push([line, body, rest].join("|"));
    }
    const found = await virtually(function* () {
      const reader = new StreamReader({ limit: 1000 });
      const feeding = createTask(function* () {
        for (let at = 0; at < all.length; ) {
          const size = 1 + next(next(3) === 0 ? 40 : 3);
          reader.feedData(bytes(all.slice(at, at + size)));
          at += size;
          yield* sleep(next(3));
        }
        reader.feedEof();
      });
      // Each read is tried for a random time, and tried anew.
      const impatient = function* (read: () => Operation<Buffer>) {
        for (;;) {
          try {
            return yield* timeout(1 + next(4), read);
          } catch (error) {
            if ((error as Error).name !== "TimeoutError") throw error;
          }
        }
      };
      const frames: string[] = [];
      for (;;) {
        const line = yield* impatient(() => reader.readline());
        if (line.length === 0) break;
        const body = yield* impatient(() => reader.readexactly(line.length * 3));
        const rest = yield* impatient(() => reader.readuntil(["\r\n", ";"]));
        frames.push([line, body, rest].map((each) => each.toString("latin1")).join("|"));
      }
      yield* feeding;
      return frames;
    });

    expect(found, `seed ${seed}`).toEqual(expected);
  }
});

test("StreamReader, keeps all bytes for the next read, wherever a read is cancelled, in any order", async () => {
  const scenario = function* () {
    const reader = new StreamReader();
    const got: string[] = [];
    const visit = function* () {
      while (got.length < 3) got.push((yield* reader.readexactly(2)).toString());
    };
    const readers = createTask(function* () {
      const first = createTask(visit());
      yield* sleep(1);
      first.cancel();
      yield* first.join();
      yield* visit();
    });
    const feeder = createTask(function* () {
      for (const byte of "abcdef") {
        reader.feedData(bytes(byte));
        yield* sleep(0);
        if (byte === "c") yield* sleep(2);
      }
      reader.feedEof();
    });
    yield* gather(feeder, readers);
    expect(got.join("")).toBe("abcdef");
  };

  await explore(scenario, { runs: 200 });
  await cancelEverywhere(scenario);
});

test("IncompleteReadError and LimitOverrunError, are those of the package", () => {
  expect(new IncompleteReadError(bytes("x"), 2).message).toBe("Expected 2 bytes, got 1 before the end of the stream");
  expect(new LimitOverrunError("x", 1).consumed).toBe(1);
});
