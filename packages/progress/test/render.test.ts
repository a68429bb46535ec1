import { stripVTControlCharacters } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { formatElapsed, formatRate, formatTime } from "../src/format.ts";
import { renderFrame, renderLine } from "../src/render.ts";
import { cut, pad, plain, widthOf } from "../src/text.ts";
import { picture } from "./support/progress.ts";

const audit = picture({
  name: "audit",
  done: 372,
  total: 600,
  unit: "pages",
  rate: 48,
  eta: 4750,
  children: [
    picture({
      name: "index.html",
      done: 1_200_000,
      total: 2_400_000,
      unit: "bytes",
      rate: 350_000,
      eta: 3429,
      message: "part 3",
    }),
    picture({ name: "about.html", message: "connecting", elapsed: 600 }),
  ],
});

describe("renderFrame()", () => {
  test("draws name, message, bar, percent, numbers with unit, rate and time to go, in columns", () => {
    expect(renderFrame([audit], { width: 80 })).toEqual([
      "audit                   ━━━━━━━━━━━━━━╸───────── 62% 372/600 pages     48/s 0:05",
      "  index.html part 3     ━━━━━━━━━━━━──────────── 50% 1.2 MB/2.4 MB 350 kB/s 0:04",
      "  about.html connecting ─────────━━━━━━─────────",
    ]);
  });

  test("draws in ASCII only, where asked to", () => {
    const lines = renderFrame([audit], { width: 80, height: 2, ascii: true });

    expect(lines).toEqual(["audit ########################-............... 62% 372/600 pages 48/s 0:05", "~ and 2 more"]);
    expect(lines.join("")).toMatch(/^[ -~]*$/);
  });

  test("colours change nothing but the colours", () => {
    const colored = renderFrame([audit], { width: 80, color: true });

    expect(colored.join("")).toContain("\u001b[36m━");
    expect(colored.map(stripVTControlCharacters)).toEqual(
      renderFrame([audit], { width: 80 }).map((line, index) =>
        line.padEnd(stripVTControlCharacters(colored[index] as string).length),
      ),
    );
  });

  test("fits any width, and drops what is of least use first", () => {
    const drawn = [120, 60, 50, 40, 30, 20, 12, 5, 1].map((width) => renderFrame([audit], { width }));

    expect(drawn.map((lines) => lines[1])).toEqual([
      "  index.html part 3     ━━━━━━━━━━━━━━━━━━━━──────────────────── 50% 1.2 MB/2.4 MB 350 kB/s 0:04",
      "  index.html part 3     ━━━━━━╸────── 50% 1.2 MB/2.4 MB 0:04",
      "  index.html part 3  ━━━━━╸───── 50% 1.2 MB/2.4 MB",
      "  index.html pa… ━━━━━━━━━╸───────── 50%",
      "  index.html ━━━━━━╸────── 50%",
      "  index.html part 3",
      "  index.html",
      "  in…",
      "",
    ]);
    for (const [index, width] of [120, 60, 50, 40, 30, 20, 12, 5, 1].entries()) {
      for (const line of drawn[index] ?? []) expect(widthOf(line)).toBeLessThanOrEqual(width);
    }
  });

  test("has as many lines as asked for at most, those further up in the tree first, and counts the rest", () => {
    const group = (name: string, count: number) =>
      picture({
        name,
        done: 0,
        total: count,
        unit: "tasks",
        children: Array.from({ length: count }, (_, n) => picture({ name: `${name}${n}`, done: n })),
      });
    const trees = [group("a", 10), group("b", 3)];
    const names = (height: number): string[] =>
      renderFrame(trees, { height }).map((line) => line.split(/[━─]/)[0]?.trimEnd() as string);

    expect(names(15)).toHaveLength(15);
    expect(names(6)).toEqual(["a", "  a0", "  a1", "  a2", "b", "… and 10 more"]);
    expect(names(3)).toEqual(["a", "b", "… and 13 more"]);
    expect(names(2)).toEqual(["a", "… and 14 more"]);
    expect(names(1)).toEqual(["… and 15 more"]);
  });

  test("leaves out a task that says just what its only child says, unless it has a message", () => {
    const child = picture({ name: "child", done: 1, total: 2 });
    const main = picture({ name: "Task-1", done: 1, total: 2, children: [child] });
    const speaking = picture({ name: "Task-1", done: 1, total: 2, message: "auditing", children: [child] });
    const other = picture({ name: "main", done: 0, total: 1, unit: "tasks", children: [child] });

    expect(renderFrame([main], { width: 40 })).toEqual(["child ━━━━━━━━━━━━━───────────── 50% 1/2"]);
    expect(renderFrame([speaking], { width: 40 })).toHaveLength(2);
    expect(renderFrame([other], { width: 40 })).toHaveLength(2);
  });

  test("calls a task by its message, where nobody has given it a name", () => {
    expect(renderFrame([picture({ name: "Task-7", message: "copying" })], { width: 30 })[0]).toMatch(/^copying [━─]+$/);
    expect(renderFrame([picture({ name: "copy", message: "a.txt" })], { width: 30 })[0]).toMatch(/^copy a\.txt [━─]+$/);
  });

  test("keeps to one line, whatever names and messages hold", () => {
    const [line, ...others] = renderFrame([picture({ name: "a\nb\u001b[31mred\u001b[0m", message: "x\r\u0007y\u2028z\t!" })], {
      width: 60,
    });

    expect(others).toEqual([]);
    expect(line).toMatch(/^a bred x {2}y z ! [━─]+$/);
  });

  test("lets nothing reorder the rest of the line", () => {
    const [line] = renderFrame([picture({ name: "\u202efdp.exe", message: "a\u2066b" })], { width: 40 });

    expect(line).toMatch(/^ ?fdp\.exe a b [━─]+$/);
  });

  test("looks at no more of a text than may be shown, as finding its characters takes quadratic time", () => {
    const segment = vi.spyOn(Intl.Segmenter.prototype, "segment");
    const texts = ["x".repeat(1_000_000), "日".repeat(100_000), `${"e\u0301".repeat(50_000)}.txt`];
    const lines = texts.flatMap((text) => [
      ...renderFrame([picture({ name: text, message: "m" })], { width: 40 }),
      ...renderFrame([picture({ name: "a", message: text })], { width: 40 }),
    ]);
    const longest = Math.max(...segment.mock.calls.map(([text]) => text.length));
    segment.mockRestore();

    expect(longest).toBeLessThan(5000);
    expect(lines.map(widthOf)).toEqual(lines.map(() => 40));
    expect(lines[4]).toContain("e\u0301.txt ");
  });

  test("cuts long names in the middle, as their ends tell them apart", () => {
    const names = [1, 12].map((n) => picture({ name: `https://example.org/shop/page-${n}.html`, done: n, total: 20 }));

    expect(renderFrame(names, { width: 50 })).toEqual(
      ["https:…p/page-1.html ╸", "https:…/page-12.html ━"].map((label) => expect.stringContaining(label)),
    );
    for (const width of [60, 40, 30, 20, 10, 3]) {
      for (const line of renderFrame(names, { width })) expect(widthOf(line)).toBeLessThanOrEqual(width);
    }
  });

  test("cuts wide characters and emoji where they fit", () => {
    const [line = ""] = renderFrame([picture({ name: "日本語のファイル🎉🎉🎉🎉", done: 1, total: 2 })], { width: 34 });

    expect(line).toMatch(/^日本…🎉🎉🎉🎉 /);
    expect(widthOf(line)).toBeLessThanOrEqual(34);
  });

  test("says how tasks have ended, and in which time", () => {
    const ended = (["finished", "failed", "cancelled"] as const).map((state) =>
      picture({ name: state, done: 1, total: 2, state, elapsed: 12_340 }),
    );

    expect(renderFrame(ended, { width: 50 })).toEqual(
      [
        "finished  ━━━━━━━━━╸───────── 50% 1/2 ✔ 12.3s",
        "failed    ━━━━━━━━━╸───────── 50% 1/2 ✖ 12.3s",
        "cancelled ━━━━━━━━━╸───────── 50% 1/2 ⊘ 12.3s",
      ].map((line) => expect.stringMatching(new RegExp(`^${line.split(" ")[0]} +[━╸─]+ 50% 1/2 ${line.at(-7)} 12\\.3s$`))),
    );
    expect(renderFrame(ended, { width: 50, ascii: true })[1]).toContain(" x 12.3s");
  });

  test("shows that something goes on, where the end is not known: a light that runs to and fro", () => {
    const at = (elapsed: number): string => (renderFrame([picture({ elapsed })], { width: 17 })[0] as string).slice(5);

    expect([0, 600, 1200, 1800, 2400].map(at)).toEqual([
      "━━━─────────",
      "─────━━━────",
      "─────────━━━",
      "─────━━━────",
      "━━━─────────",
    ]);
  });

  test("says 100% only of what is complete, and fills no cell of what is not done", () => {
    const lines = [0, 0.004, 0.999, 1].map((fraction) => renderFrame([picture({ fraction, total: 1 })], { width: 24 })[0]);

    expect(lines.map((line) => line?.match(/(\d+)%/)?.[1])).toEqual(["0", "0", "99", "100"]);
    expect(lines[2]).not.toMatch(/━{12}/);
    expect(lines[0]).not.toMatch(/[━╸]/);
  });

  test("of nothing is nothing", () => {
    expect(renderFrame([])).toEqual([]);
  });
});

test("renderLine(), tells of a task in one line, without bars", () => {
  expect(renderLine(audit)).toBe("audit  62%  372/600 pages  48/s  eta 0:05");
  expect(renderLine(picture({ name: "Task-3", message: "copying\n" }))).toBe("copying");
  expect(renderLine(picture({ name: "copy", message: "a.txt", done: 3 }))).toBe("copy: a.txt  3");
  expect(renderLine(picture({ name: "copy", done: 3, total: 3, state: "finished", elapsed: 65_000, rate: 0.046 }))).toBe(
    "copy  100%  3/3  2.8/min  finished in 1:05",
  );
});

test("formatRate(), takes the unit of time that fits", () => {
  const rate = (rate: number, unit?: string): string => formatRate(picture({ rate, unit }));

  expect([1e7, 99_960, 1234, 48, 0.5, 0.4, 1 / 60, 1 / 3600, 1e-9].map((each) => rate(each))).toEqual([
    "10M/s",
    "100k/s",
    "1.2k/s",
    "48/s",
    "0.5/s",
    "24/min",
    "1/min",
    "1/h",
    "",
  ]);
  expect([999, 999_999, 1_500_000].map((each) => rate(each, "bytes"))).toEqual(["999 B/s", "1 MB/s", "1.5 MB/s"]);
  expect(formatRate(picture())).toBe("");
});

test("formatTime() and formatElapsed(), are short, and say nothing of what nobody knows", () => {
  expect([0, 1, 1000, 59_001, 60_000, 3_599_000, 3_600_000, 86_400_000 * 3 + 3_660_000].map(formatTime)).toEqual([
    "0:00",
    "0:01",
    "0:01",
    "1:00",
    "1:00",
    "59:59",
    "1:00:00",
    "3d 01:01",
  ]);
  expect([undefined, 1e10, 1e300].map(formatTime)).toEqual(["", "", ""]);
  expect([0, 149, 59_999, 60_000, 125_000].map(formatElapsed)).toEqual(["0.0s", "0.1s", "59.9s", "1:00", "2:05"]);
});

test("widthOf(), counts columns, not code units", () => {
  const widths: [string, number][] = [
    ["", 0],
    ["abc", 3],
    ["é", 1],
    ["e\u0301", 1],
    ["日本", 4],
    ["ｆｕｌｌ", 8],
    ["한국어", 6],
    ["🎉", 2],
    ["👩‍👩‍👧‍👦", 2],
    ["🇫🇷", 2],
    ["❤️", 2],
    ["━╸─", 3],
    ["\u200b", 0],
    ["㊙㍿", 4],
    ["﹏︰", 4],
    ["䷀", 2],
    ["ﾌﾞﾗｳｻﾞ", 6],
    ["ﾡ", 1],
    ["กำน้ำ", 4],
    ["ที่นี่", 2],
  ];

  expect(widths.map(([text]) => [text, widthOf(text)])).toEqual(widths);
  expect(cut("日本語", 5, "…")).toBe("日本…");
  expect(cut("日本語", 4, "…")).toBe("日…");
  expect(cut("abc", 0, "…")).toBe("");
  expect(pad("日", 4)).toBe("日  ");
  expect(plain("a\u001b]8;;http://x\u0007link\u001b]8;;\u0007b\u0000")).toBe("alinkb ");
});
