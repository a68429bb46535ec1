/** Child processes: their pipes, their exit, their environment. After CPython's test_subprocess.py. */

import { createTask, gather, type Operation, sleep } from "tsyncio";
import { createSubprocessExec, createSubprocessShell, DEVNULL, PIPE, type Process } from "tsyncio/subprocess";
import { describe, expect, test } from "vitest";
import { errorOf, linux, real, script } from "../subprocess/support.ts";

const pipes = { stdin: PIPE, stdout: PIPE, stderr: PIPE } as const;

describe("pipes of a process", () => {
  test("stdin and stdout, carry bytes, and wait() gives the exit code, in both spellings [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
      process.stdin.write("some data");
      yield* process.stdin.drain();
      process.stdin.close();

      expect(String(yield* process.stdout.read())).toBe("some data");
      expect(yield* process.wait()).toBe(0);
    });
    await real(async () => {
      const process = await createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
      process.stdin.write("some data");
      await process.stdin.drain();
      process.stdin.close();

      expect(String(await process.stdout.read())).toBe("some data");
      expect(await process.wait()).toBe(0);
    });
  });

  test.each(["abc", "", undefined])(
    "communicate(%j), gives the child that and the end, beside a child that runs [real]",
    async (input) => {
      await real(function* () {
        const process = yield* createSubprocessExec("wc", ["-c"], pipes);
        // Had it inherited the pipe, there would be no end.
        const other = yield* createSubprocessExec("sleep", ["60"]);
        const { stdout, stderr } = yield* process.communicate(input);

        expect([String(stdout).trim(), stderr.length]).toEqual([String(input?.length ?? 0), 0]);
        expect(yield* process.wait()).toBe(0);
        expect(other.returncode).toBe(null);
        yield* other.stop();
      });
    },
  );

  test.each(["stdout", "stderr"] as const)(
    "communicate(), gives null for %s, when that leads to DEVNULL [real]",
    async (name) => {
      await real(function* () {
        const process = yield* createSubprocessShell("cat; echo error >&2", { ...pipes, [name]: DEVNULL });
        const output = yield* process.communicate("abc");

        expect(process[name]).toBe(null);
        expect({ ...output, [name]: output[name] }).toMatchObject({ [name]: null, drained: true });
        expect(String(output[name === "stdout" ? "stderr" : "stdout"])).toBe(name === "stdout" ? "error\n" : "abc");
        expect(process.returncode).toBe(0);
      });
    },
  );

  test("stdin.drain(), tells that the child has gone [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("true", [], { stdin: PIPE });
      yield* process.wait();
      const error = yield* errorOf(
        (function* () {
          process.stdin.write("x".repeat(4 << 20));
          yield* process.stdin.drain();
        })(),
      );

      expect(error).toMatchObject({ name: "ConnectionLostError" });
    });
  });

  test("stdout, is read to its end, slowly, after the child has exited [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec(...script(`process.stdout.write("x".repeat(64 * 4096))`), { stdout: PIPE });
      let size = 0;
      for (;;) {
        const data = yield* process.stdout.read(65_536);
        if (data.length === 0) break;
        size += data.length;
        yield* sleep(30);
      }

      expect(size).toBe(64 * 4096);
      expect(yield* process.wait()).toBe(0);
    });
  });

  test("communicate(), of ten processes at once, gives each its own [real]", async () => {
    await real(function* () {
      const outputs = Array.from({ length: 10 }, (_, i) => `foo${i}`);
      const results = yield* gather(
        ...outputs.map((output) =>
          createTask(function* () {
            const process = yield* createSubprocessExec("echo", [output], { stdout: PIPE });
            return String((yield* process.communicate()).stdout).trim();
          }),
        ),
      );

      expect(results).toEqual(outputs);
    });
  });
});

describe("a process", () => {
  test.each(["exec", "shell"])(
    "by %s, gets its environment; wait() gives the exit code at once, when it has exited [real]",
    async (how) => {
      await real(function* () {
        const env = { ...globalThis.process.env, FOO: "bar" };
        const process: Process = yield* (
          how === "exec"
            ? createSubprocessExec("printenv", ["FOO"], { env, stdout: PIPE })
            : createSubprocessShell('echo "$FOO"', { env, stdout: PIPE })
        ) as Operation<Process>;
        const { stdout } = yield* process.communicate();
        const waiting = createTask(process.wait());
        yield* sleep(0);

        expect(String(stdout)).toBe("bar\n");
        expect(waiting.result()).toBe(0);
      });
    },
  );

  test("kill(), ends a shell while it runs one command of several [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("echo; sleep 60; sleep 60", { stdout: PIPE });
      yield* process.stdout.readline();
      process.kill();

      expect(yield* process.wait()).toBe(-9);
      yield* process.stop();
    });
  });

  test("wait(), cancelled, leaves the process alone; the next one gives its exit [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("sleep", ["60"]);
      const waiting = createTask(process.wait());
      yield* sleep(0);
      waiting.cancel();
      yield* waiting.join();
      expect(waiting.cancelled()).toBe(true);
      expect(process.returncode).toBe(null);
      waiting.cancel();
      process.kill();

      expect(yield* process.wait()).toBe(-9);
    });
  });

  test("wait(), ten times at once, when it has exited, gives all the exit code [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
      expect(String((yield* process.communicate("some data")).stdout)).toBe("some data");

      expect(yield* gather(...Array.from({ length: 10 }, () => process.wait()))).toEqual(Array(10).fill(0));
    });
  });

  test("sendSignal(), kill() and terminate(), to one that has exited, send nothing, and say so [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("exit 6");
      expect(String(process)).toBe(`<Process ${process.pid}>`);
      expect(yield* process.wait()).toBe(6);

      expect([process.sendSignal("SIGTERM"), process.terminate(), process.kill()]).toEqual([false, false, false]);
      expect(process.returncode).toBe(6);
      expect(String(process)).toBe(`<Process ${process.pid} returncode=6>`);
      expect(yield* process.stop()).toBe(6);
    });
  });

  test.runIf(linux)("sendSignal(), at about the time of the exit, leaves the exit code or the signal [real]", async () => {
    await real(function* () {
      for (let i = 0; i < 10; i++) {
        const process = yield* createSubprocessExec("sleep", ["0.05"]);
        yield* sleep(45 + i);
        const sent = process.sendSignal("SIGUSR1");

        expect(sent ? [0, -10] : [0]).toContain(yield* process.wait());
      }
    });
  });
});

test("createSubprocessExec() and createSubprocessShell(), refuse options for text, at once", () => {
  for (const option of [{ text: true }, { encoding: "utf-8" }, { errors: "strict" }]) {
    const refusal = `Expected no option \`${Object.keys(option)[0]}\`: streams are bytes`;
    expect(() => createSubprocessExec("true", [], option as object)).toThrow(refusal);
    expect(() => createSubprocessShell("true", option as object)).toThrow(refusal);
  }
});
