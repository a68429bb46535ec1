import { createTask, gather, reportProgress, sleep, taskGroup, track } from "tsyncio";
import { runTest } from "tsyncio/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type ProgressDisplay, type ShowOptions, showProgress } from "../src/index.ts";
import { settingsOf } from "../src/settings.ts";
import { canDraw, wantsAscii, wantsColor } from "../src/stream.ts";
import { Terminal } from "./support/terminal.ts";

/** A stream that is no terminal. */
class Pipe {
  readonly isTTY: boolean | undefined = undefined;
  text = "";
  write(text: string): void {
    this.text += text;
  }
  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

const displays: ProgressDisplay[] = [];
const show = (options: ShowOptions): ProgressDisplay => {
  const display = showProgress(options);
  displays.push(display);
  return display;
};
afterEach(() => {
  for (const each of displays.splice(0)) each.stop();
});

const download = (total: number) =>
  function* () {
    for (const _ of track(Array(total), { unit: "parts" })) yield* sleep("1s");
  };

describe("showProgress() as lines", () => {
  test("tells of a task at first, once in an interval, and how it ended; without any escape code", async () => {
    const stream = new Pipe();
    await runTest(function* () {
      using _ = show({ stream, interval: "5s" });
      yield* createTask(download(12), { name: "download" });
    });

    expect(stream.lines).toEqual([
      "download  0%  0/12 parts",
      "download  33%  4/12 parts  1/s  eta 0:08",
      "download  75%  9/12 parts  1/s  eta 0:03",
      "download  100%  12/12 parts  1/s  finished in 12.0s",
    ]);
    expect(stream.text).not.toContain("\u001b");
  });

  test("tells of failures at any depth, and not of each of many children", async () => {
    const stream = new Pipe();
    await runTest(function* () {
      using _ = show({ stream });
      const main = createTask(
        taskGroup(function* (group) {
          for (let n = 0; n < 200; n++) {
            group.createTask(
              function* () {
                reportProgress({ done: 1, total: 2 });
                yield* sleep(n);
              },
              { name: `child-${n}` },
            );
          }
          const failing = createTask(
            function* () {
              reportProgress({ done: 1, total: 2, message: "about to fail" });
              yield* sleep(300);
              throw new Error("no");
            },
            { name: "deep" },
          );
          yield* failing.join();
        }),
        { name: "main" },
      );
      yield* main;
    });

    expect(stream.lines.length).toBeLessThan(40);
    expect(stream.lines.filter((line) => line.includes("failed"))).toEqual(["deep: about to fail  50%  1/2  failed in 0.3s"]);
  });

  test("shows what is told of one task, if asked to", async () => {
    const stream = new Pipe();
    await runTest(function* () {
      const one = createTask(download(2), { name: "one" });
      const other = createTask(download(2), { name: "other" });
      using _ = show({ stream, task: one });
      yield* gather(one, other);
    });

    expect(stream.lines).toEqual(["one  0%  0/2 parts", "one  100%  2/2 parts  1/s  finished in 2.0s"]);
  });

  test("goes on without a word when nobody reads any more", async () => {
    let writes = 0;
    await runTest(function* () {
      using _ = show({
        stream: {
          write() {
            writes++;
            throw Object.assign(new Error("write EPIPE"), { code: "EPIPE" });
          },
        },
      });
      yield* createTask(download(20));
    });

    expect(writes).toBe(1);
  });
});

describe("showProgress() as bars", () => {
  test("draws the tree below what was there, and leaves the last state; or nothing, if asked to", async () => {
    for (const clear of [false, true]) {
      const stream = new Terminal(60, 10);
      stream.write("$ program\n");
      await runTest(function* () {
        const display = show({ stream, mode: "bars", color: false, clear, interval: 0 });
        const task = createTask(download(4), { name: "download" });
        yield* sleep("2500ms");
        expect(stream.lines).toEqual(["$ program", expect.stringMatching(/^download ━+╸?─+ 50% 2\/4 parts 1\/s 0:02$/)]);
        display.stop();
        display.stop();
        yield* task;
      });

      expect(stream.lines.length).toBe(clear ? 1 : 2);
      expect(stream.cursorVisible).toBe(true);
      expect(stream.listenerCount("resize") + stream.listenerCount("error")).toBe(0);
    }
  });

  test("leaves a line for each tree that has ended, above those that go on, and follows from program to program", async () => {
    const stream = new Terminal(70, 10);
    const display = show({ stream, mode: "bars", color: false, interval: 0 });
    for (const message of ["first", "second"]) {
      await runTest(function* () {
        reportProgress({ message });
        yield* createTask(download(3));
      });
    }
    const failing = runTest(function* () {
      reportProgress({ message: "third" });
      yield* sleep(1);
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    display.stop();

    expect(stream.lines).toEqual([
      expect.stringMatching(/^main first ━+ 100% 3\/3 parts 1\/s ✔ 3\.0s$/),
      expect.stringMatching(/^main second ━+ 100% 3\/3 parts 1\/s ✔ 3\.0s$/),
      expect.stringMatching(/^main third ─+ ✖ 0\.0s$/),
    ]);
    expect(stream.synchronized).toBe(true);
  });

  test("follows the size of the terminal", async () => {
    const stream = new Terminal(80, 10);
    await runTest(function* () {
      using _ = show({ stream, mode: "bars", color: false, interval: 0 });
      const group = createTask(
        taskGroup(function* (group) {
          for (let n = 0; n < 30; n++) group.createTask(download(9), { name: `download-${n}` });
        }),
      );
      yield* sleep("1500ms");
      const before = stream.lines;
      stream.resize(40, 20);
      const after = stream.lines;
      yield* group;

      expect(before).toHaveLength(9);
      expect(before.at(-1)).toBe("… and 23 more");
      expect(after).toHaveLength(19);
      expect(after.at(-1)).toBe("… and 13 more");
      expect(Math.max(...after.map((line) => line.length))).toBeLessThan(40);
    });
  });

  test("keeps the bars on the screen, however much the program writes above them, to whichever stream", async () => {
    const stderr = new Terminal(40, 10);
    const stdout = { isTTY: true, write: stderr.write.bind(stderr) };
    const spies = [
      vi.spyOn(process, "stderr", "get").mockReturnValue(stderr as never),
      vi.spyOn(process, "stdout", "get").mockReturnValue(stdout as never),
    ];
    try {
      await runTest(function* () {
        using _ = show({ mode: "bars", color: false, ascii: true, interval: 0 });
        const task = createTask(download(2), { name: "download" });
        yield* sleep(1);
        const gone: number[] = [];
        for (let n = 0; n < 60; n++) {
          const stream = n % 3 === 0 ? process.stderr : process.stdout;
          // Now and then a line is not ended at once.
          stream.write(n % 7 === 0 ? `line ${n} ` : `line ${n}\n`);
          if (n % 7 === 0) stream.write(`is line ${n}\n`);
          if (!stderr.lines.at(-1)?.startsWith("download ")) gone.push(n);
        }
        const { lines } = stderr;
        yield* task;

        expect(gone).toEqual([]);
        expect(lines.slice(0, -1)).toEqual(
          Array.from({ length: 60 }, (_, n) => (n % 7 === 0 ? `line ${n} is line ${n}` : `line ${n}`)),
        );
      });
    } finally {
      for (const each of spies) each.mockRestore();
    }
  });

  test("takes intervals that are longer than timers can be", () => {
    const timer = vi.spyOn(globalThis, "setInterval");
    for (const interval of [Number.POSITIVE_INFINITY, "40d"] as const) show({ stream: new Terminal(), mode: "bars", interval });
    const delays = timer.mock.calls.map(([, delay]) => delay);
    timer.mockRestore();

    // With more, Node takes 1 ms.
    expect(delays).toEqual([2 ** 31 - 1, 2 ** 31 - 1]);
  });

  test("is shown once on a stream, and again after it was stopped", () => {
    const stream = new Terminal();
    const exits = process.listenerCount("exit");
    const first = show({ stream, mode: "bars" });
    const second = show({ stream, mode: "bars" });
    second.stop();
    const during = stream.listenerCount("resize");
    first.stop();
    const third = show({ stream, mode: "bars" });
    const after = stream.listenerCount("resize");
    third.stop();

    expect([during, after, stream.listenerCount("resize")]).toEqual([1, 1, 0]);
    expect(process.listenerCount("exit")).toBe(exits);
    expect(stream.raw).toBe("");
  });
});

describe("the settings", () => {
  const terminal = { isTTY: true, write() {} };
  const pipe = { write() {} };

  test("draw on a terminal, but not in CI or a dumb one; `mode` decides otherwise", () => {
    expect(canDraw(terminal, {})).toBe(true);
    expect(canDraw(pipe, {})).toBe(false);
    expect(canDraw(terminal, { CI: "true" })).toBe(false);
    expect(canDraw(terminal, { CI: "false" })).toBe(true);
    expect(canDraw(terminal, { TERM: "dumb" })).toBe(false);
    expect(settingsOf({ stream: pipe, mode: "bars" }, {}, "linux")).toMatchObject({ draws: true, interval: 100 });
    expect(settingsOf({ stream: terminal, mode: "lines" }, {}, "linux")).toMatchObject({ draws: false, interval: 5000 });
  });

  test("colour as NO_COLOR and FORCE_COLOR say, else on terminals", () => {
    expect(wantsColor(terminal, {})).toBe(true);
    expect(wantsColor(pipe, {})).toBe(false);
    expect(wantsColor(terminal, { NO_COLOR: "1" })).toBe(false);
    expect(wantsColor(terminal, { NO_COLOR: "" })).toBe(true);
    expect(wantsColor(pipe, { FORCE_COLOR: "1" })).toBe(true);
    expect(wantsColor(terminal, { FORCE_COLOR: "0" })).toBe(false);
    expect(settingsOf({ stream: pipe, color: true }, { NO_COLOR: "1" }, "linux").color).toBe(true);
  });

  test("use ASCII where the terminal is known to have nothing else", () => {
    expect(wantsAscii({}, "linux")).toBe(false);
    expect(wantsAscii({ LANG: "en_US.UTF-8" }, "linux")).toBe(false);
    expect(wantsAscii({ LANG: "en_US.ISO-8859-1" }, "linux")).toBe(true);
    expect(wantsAscii({ LC_ALL: "de_DE.utf8", LANG: "x.ISO-8859-1" }, "linux")).toBe(false);
    expect(wantsAscii({ TERM: "linux" }, "linux")).toBe(true);
    expect(wantsAscii({ TSYNCIO_ASCII: "1" }, "darwin")).toBe(true);
    expect(wantsAscii({}, "win32")).toBe(true);
    expect(wantsAscii({ WT_SESSION: "x" }, "win32")).toBe(false);
  });

  test.for([
    [null, TypeError, "Expected options"],
    [{ stream: {} }, TypeError, "Expected `stream` to be a writable stream"],
    [{ mode: "bar" }, RangeError, 'Expected `mode` to be "auto", "bars" or "lines", got "bar"'],
    [{ interval: -1 }, RangeError, "Expected `interval` in milliseconds"],
    [{ interval: "soon" }, RangeError, "Expected `interval` in milliseconds"],
    [{ maxLines: 0 }, RangeError, "Expected `maxLines` to be an integer ≥ 1, got 0"],
    [{ maxLines: 1.5 }, RangeError, "Expected `maxLines` to be an integer ≥ 1, got 1.5"],
    [{ width: Number.NaN }, RangeError, "Expected `width` to be an integer ≥ 1, got NaN"],
    [{ width: "80" }, TypeError, "Expected `width` to be an integer ≥ 1, got 80"],
    [{ color: 1 }, TypeError, "Expected `color` to be true or false, got 1"],
    [{ task: {} }, TypeError, "Expected `task` to be a Task"],
  ] as const)("refuse %o, and show nothing", ([options, Class, message]) => {
    const attempt = (): unknown => showProgress(options as never);

    expect(attempt).toThrow(Class);
    expect(attempt).toThrow(message);
  });
});
