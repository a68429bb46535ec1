import { describe, expect, test } from "vitest";
import { Screen } from "../src/screen.ts";
import { Terminal } from "./support/terminal.ts";

/** Numbers that look random, and are the same each time. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state;
  }
}

describe("Screen", () => {
  test("shows the last frame below all that was printed, whatever was drawn before", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = numbers(seed);
      const next = (below: number): number => Math.floor((random.next().value / 2 ** 31) * below);
      const terminal = new Terminal(40, 12);
      const screen = new Screen(terminal);
      const printed: string[] = [];
      let frame: string[] = [];
      for (let step = 0; step < 40; step++) {
        // Few different lines, so that frames have many in common.
        const lines = next(4) === 0 ? frame : Array.from({ length: next(8) }, () => `line ${next(4)}`);
        const what = next(4);
        if (what < 2) screen.draw(lines);
        else if (what === 2) {
          printed.push(`printed ${step}`);
          screen.print(`printed ${step}\n`, lines);
        } else {
          printed.push(`above ${step}`);
          screen.above(() => terminal.write(`above ${step}\n`), lines);
        }
        frame = lines;
        expect(terminal.lines, `seed ${seed}, step ${step}`).toEqual(
          [...printed, ...frame].length > 0 ? [...printed, ...frame] : [""],
        );
        expect(terminal.cursor, `seed ${seed}, step ${step}`).toEqual({ x: 0, y: printed.length + frame.length });
        expect(terminal.synchronized).toBe(true);
      }
    }
  });

  test("writes a frame in one go, and nothing when nothing has changed", () => {
    const terminal = new Terminal();
    const screen = new Screen(terminal);
    screen.draw(["a", "b", "c"]);
    screen.draw(["a", "b", "c"]);
    const first = terminal.writes;
    screen.draw(["a", "X", "c"]);
    screen.draw(["a", "c"]);
    screen.print("out\n", ["a", "d"]);

    expect(first).toBe(1);
    expect(terminal.writes).toBe(4);
    // Of a line that changes, only that line is written.
    expect(terminal.raw.split("\u001b[?2026h")[2]).not.toContain("c");
  });

  test("leaves no trace of lines that the terminal has wrapped anew, when it was made narrower, or wider", () => {
    const terminal = new Terminal(60, 20);
    const screen = new Screen(terminal);
    terminal.on("resize", () => {
      screen.resized();
      screen.draw([1, 2, 3].map((n) => `${n} ${"x".repeat(terminal.columns - 10)}`));
    });
    screen.print("before\n", []);
    screen.draw([1, 2, 3].map((n) => `${n} ${"x".repeat(50)}`));
    for (const columns of [59, 30, 18, 40, 80]) {
      terminal.resize(columns, 20);

      expect(terminal.lines, String(columns)).toEqual(["before", ...[1, 2, 3].map((n) => `${n} ${"x".repeat(columns - 10)}`)]);
    }
  });

  test("writes no more to a stream that is gone, and never throws", () => {
    let writes = 0;
    const broken = {
      isTTY: true,
      write(): never {
        writes++;
        throw new Error("EIO");
      },
    };
    const screen = new Screen(broken);
    screen.draw(["a"]);
    screen.draw(["b"]);
    screen.leave();

    expect(writes).toBe(1);
    expect(screen.broken).toBe(true);
  });
});
