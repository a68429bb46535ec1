import { createTask, gather, sleep } from "tsyncio";
import { DEVNULL, PIPE, ProcessError, type ProcessTimeoutError, runProcess, runShell, STDOUT } from "tsyncio/subprocess";
import { describe, expect, expectTypeOf, test } from "vitest";
import { childrenOf, errorOf, real } from "./support.ts";

describe("runProcess()", () => {
  test("gives what came of it, as bytes or text, in both spellings [real]", async () => {
    await real(function* () {
      const bytes = yield* runProcess("tr", ["a-z", "A-Z"], { input: Buffer.from("hello") });
      const text = yield* runProcess("tr", ["a-z", "A-Z"], { input: "hello", encoding: "latin1" });

      expectTypeOf(bytes.stdout).toEqualTypeOf<Buffer>();
      expectTypeOf(text.stdout).toEqualTypeOf<string>();
      expect(bytes.stdout.equals(Buffer.from("HELLO"))).toBe(true);
      expect(text).toEqual({
        command: "tr a-z A-Z",
        returncode: 0,
        signal: null,
        stdout: "HELLO",
        stderr: "",
        drained: true,
      });
    });
    await real(async () => {
      const { stdout } = await runProcess("echo", ["hi"], { encoding: "utf8" });
      expect(stdout).toBe("hi\n");
      expect((await runShell("cat; echo two", { encoding: "utf8" })).stdout).toBe("two\n");
    });
  });

  test("throws a ProcessError with the end of stderr, when the exit code is not 0, unless told not to [real]", async () => {
    await real(function* () {
      const command = "echo out; yes wrong | head -n 1000 >&2; echo the end >&2; exit 3";
      const error = (yield* errorOf(runShell(command, { encoding: "utf8" }))) as ProcessError;

      expect(error).toBeInstanceOf(ProcessError);
      expect(error).toMatchObject({ code: "PROCESS_FAILED", returncode: 3, signal: null, stdout: "out\n", command });
      expect(error.message).toMatch(/exited with code 3:\n…[\s\S]*the end$/);
      expect(error.message.length).toBeLessThan(700);
      expect((yield* runShell(command, { check: false })).returncode).toBe(3);
      const killed = (yield* errorOf(runShell("kill -9 $$"))) as ProcessError;
      expect(killed).toMatchObject({ returncode: -9, signal: "SIGKILL", message: "kill -9 $$ was ended by SIGKILL" });
    });
  });

  test("throws a ProcessTimeoutError with what was written, when the time is over, and leaves no child [real]", async () => {
    await real(function* () {
      const options = { timeout: "200ms", encoding: "utf8", stderr: DEVNULL } as const;
      const error = (yield* errorOf(runShell("echo early; sleep 60 & sleep 60", options))) as ProcessTimeoutError;

      expect(error).toMatchObject({ name: "ProcessTimeoutError", code: "TIMEOUT", stdout: "early\n", stderr: "" });
      expect(error.message).toContain("was not done in 200 ms");
      expect(childrenOf(process.pid)).toEqual([]);
    });
  });

  test("throws an OutputLimitError, when there is too much [real]", async () => {
    await real(function* () {
      const error = yield* errorOf(runProcess("yes", [], { maxOutput: 3, encoding: "utf8" }));

      expect(error).toMatchObject({ code: "OUTPUT_LIMIT", stdout: "y\ny", stderr: "", command: "yes" });
    });
  });

  test("stops the child and waits for that, when it is cancelled at any time [real]", async () => {
    await real(function* () {
      for (const pause of [0, 0, 1, 5, 20]) {
        const task = createTask(runShell("sleep 60 & sleep 60", { stderr: STDOUT }));
        yield* sleep(pause);
        yield* task.cancelAndWait();
        expect(task.cancelled()).toBe(true);
        expect(childrenOf(process.pid)).toEqual([]);
      }
    });
  });

  test("runs many at once [real]", async () => {
    await real(function* () {
      const all = yield* gather(Array.from({ length: 20 }, (_, i) => runProcess("echo", [`${i}`], { encoding: "utf8" })));

      expect(all.map((each) => Number(each.stdout))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    });
  });

  test("refuses wrong arguments at once", () => {
    expect(() => runProcess("true", [], 5 as never)).toThrow("Expected `options` to be an object");
    expect(() => runProcess("true", [], { input: 5 as never })).toThrow("Expected `input` to be bytes");
    expect(() => runProcess("true", [], { input: "x", stdin: DEVNULL })).toThrow("`stdin` leads elsewhere");
    expect(() => runProcess("true", [], { check: 1 as never })).toThrow("Expected `check` to be true or false");
    expect(() => runProcess("true", [], { encoding: "utf99" as never })).toThrow(
      'Expected `encoding` to be one such as "utf8"',
    );
    expect(() => runProcess("true", [], { maxOutput: 0.5 })).toThrow("Expected `maxOutput` to be an integer ≥ 0");
    expect(() => runProcess("true", [], { timeout: "soon" as never })).toThrow("Expected `timeout`");
    expect(() => runProcess("true", [], { shell: "x" } as never)).toThrow("Expected no option `shell`");
    expect(() => runProcess("true", [], { stdin: PIPE, input: "x" })).not.toThrow();
  });
});
