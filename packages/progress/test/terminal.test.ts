import { afterEach, describe, expect, test } from "vitest";
import { runPiped, TMUX, TmuxTerminal } from "./support/programs.ts";

const IMPORTS = `
import { createTask, reportProgress, run, sleep, taskGroup, track } from "tsyncio";
import { showProgress } from "@tsyncio/progress";
`;

let terminal: TmuxTerminal | undefined;
afterEach(() => {
  terminal?.close();
  terminal = undefined;
});

const open = (source: string, columns = 80, rows = 24): TmuxTerminal => {
  terminal = new TmuxTerminal(IMPORTS + source, columns, rows);
  return terminal;
};

/** Without the time, which nobody knows. */
const stable = (line: string | undefined): string | undefined => line?.replace(/ +[\d.]+\/\w+( [\d:]+)?$/, "");

describe.skipIf(TMUX === undefined)("showProgress() in a terminal (tmux)", () => {
  const WAITING = `
    await run(async () => {
      const bars = showProgress();
      const crawl = createTask(async () => {
        for (const n of track([1, 2, 3, 4], { unit: "pages" })) {
          console.log("page " + n + " " + "x".repeat(20));
          if (n === 3) {
            process.stdout.write("an unfinished ");
            await sleep("1h");
          }
        }
      }, { name: "crawl" });
      const fetching = createTask(async () => { reportProgress({ message: "a".repeat(60) }); await sleep("1h"); }, { name: "fetch" });
      await crawl;
    });`;

  test("draws below what the program writes, and follows the size of the window [real]", async () => {
    const shown = open(WAITING);
    const wide = await shown.until((lines) => lines.some((line) => line.startsWith("  fetch")));
    shown.resize(40, 12);
    const narrow = await shown.until((lines) => lines.some((line) => /^ {2}fetch a+… /.test(line) && line.length < 40));
    shown.resize(100, 30);
    const again = await shown.until((lines) => lines.some((line) => /^ {2}fetch .{45}/.test(line)));

    const written = ["before", ...[1, 2, 3].map((n) => `page ${n} ${"x".repeat(20)}`), "an unfinished"];
    for (const lines of [wide, narrow, again]) {
      expect(lines.slice(0, 5)).toEqual(written);
      expect(lines).toHaveLength(8);
      expect(stable(lines[5])).toMatch(/^Task-1 +[━╸─]+ +25% 0\/2 tasks$/);
      expect(stable(lines[6])).toMatch(/^ {2}crawl +[━╸─]+ +50% 2\/4 pages$/);
      expect(lines[7]).toMatch(/^ {2}fetch a+… [━─]+$/);
    }
    expect(shown.cursorVisible).toBe(false);
  });

  test.for([
    ["inside of run()", WAITING],
    ["before run()", WAITING.replace("const bars = showProgress();", "").replace("await run(", "showProgress();\nawait run(")],
  ] as const)("shown %s, it leaves the last state and the cursor when Ctrl-C ends the program [real]", async ([, program]) => {
    const shown = open(program);
    await shown.until((lines) => lines.some((line) => line.startsWith("  fetch")));
    const during = shown.cursorVisible;
    shown.press("C-c");
    const lines = await shown.until((all) => all.some((line) => line.startsWith("code")));

    expect(during).toBe(false);
    expect(shown.cursorVisible).toBe(true);
    expect(lines).toContain("code 130");
    expect(lines.filter((line) => line.startsWith("page"))).toHaveLength(3);
    expect(lines.some((line) => /^an unfinished/.test(line))).toBe(true);
    expect(lines.some((line) => /[━╸─]{8}/.test(line) && line.includes("⊘"))).toBe(true);
  });

  test.for([
    ["an error", `setTimeout(() => { throw new Error("lost"); }, 300);`, "code 1"],
    ["process.exit()", "setTimeout(() => process.exit(7), 300);", "code 7"],
    ["SIGTERM", `setTimeout(() => process.kill(process.pid, "SIGTERM"), 300);`, "code 143"],
  ] as const)("shows the cursor again when %s ends the process [real]", async ([, ending, code]) => {
    const shown = open(ending + WAITING);
    await shown.until((lines) => lines.some((line) => line.startsWith("  fetch")));
    const lines = await shown.until((all) => all.some((line) => line.startsWith("code")));

    expect(lines).toContain(code);
    expect(shown.cursorVisible).toBe(true);
    expect(lines.some((line) => /^ {2}crawl .*50% 2\/4 pages/.test(line))).toBe(true);
  });

  test("ends with the program, in order, with no line lost of many [real]", async () => {
    const shown = open(`
      await run(function* () {
        const bars = showProgress({ interval: 20 });
        yield* taskGroup(function* (group) {
          for (let n = 0; n < 40; n++) group.createTask(function* () {
            for (const _ of track(Array(5))) { yield* sleep(5 + n); console.log("out " + n); console.error("err " + n); }
          }, { name: "child-" + n });
        });
        bars.stop();
      });
      console.log("after");`);
    const lines = await shown.until((all) => all.some((line) => line.startsWith("code")));

    expect(lines[0]).toBe("before");
    expect(lines.slice(-3)).toEqual([expect.stringMatching(/^Task-1 ━+ 100% 200\/200/), "after", "code 0"]);
    expect(lines.slice(1, -3).sort()).toEqual(
      Array.from({ length: 40 }, (_, n) => Array.from({ length: 5 }, () => [`out ${n}`, `err ${n}`]))
        .flat(2)
        .sort(),
    );
  });
});

describe("showProgress() into a pipe", () => {
  const DOWNLOAD = `
    await run(function* () {
      const bars = showProgress({ interval: 50 });
      yield* createTask(function* () {
        for (const _ of track(Array(10), { unit: "parts" })) yield* sleep(30);
      }, { name: "download" });
      console.log("downloaded");
    });`;

  test("writes plain lines to stderr, whatever FORCE_COLOR says, and leaves stdout alone [real]", async () => {
    const { code, stdout, stderr } = await runPiped(IMPORTS + DOWNLOAD, { env: { FORCE_COLOR: "1" } });
    const lines = stderr.trimEnd().split("\n");

    expect({ code, stdout }).toEqual({ code: 0, stdout: "downloaded\n" });
    expect(stderr).not.toContain("\u001b");
    expect(lines[0]).toBe("download  0%  0/10 parts");
    expect(lines.find((line) => line.includes("finished"))).toMatch(
      /^download {2}100% {2}10\/10 parts {2}.* {2}finished in 0\.\ds$/,
    );
    expect(lines.length).toBeGreaterThan(3);
  });

  test("keeps nothing alive, and ends with the process, when nobody stops it [real]", async () => {
    const { code, stdout, stderr } = await runPiped(`${IMPORTS}
      showProgress({ interval: "1h" });
      createTask(function* () { reportProgress({ done: 1, total: 2 }); yield* sleep(20); reportProgress({ done: 2 }); yield* sleep(20); });
      process.on("exit", () => console.log("over"));`);

    expect({ code, stdout }).toEqual({ code: 0, stdout: "over\n" });
    expect(stderr).toContain("100%  2/2");
  });

  test("lets the program go on when the pipe is closed [real]", async () => {
    const { code, stdout } = await runPiped(IMPORTS + DOWNLOAD, { onStderr: (close) => close() });

    expect({ code, stdout }).toEqual({ code: 0, stdout: "downloaded\n" });
  });
});
