import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createTask, gather, isCancelled, type Operation, sleep, waitFor } from "tsyncio";
import {
  createSubprocessExec,
  createSubprocessShell,
  DEVNULL,
  PIPE,
  type Process,
  type ProcessStartError,
  STDOUT,
} from "tsyncio/subprocess";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { StreamReader } from "../../src/streams/reader.ts";
import type { StreamWriter } from "../../src/streams/writer.ts";
import { errorOf, inFolder, linux, membersOf, real, script } from "./support.ts";

describe("Process.communicate()", () => {
  test("feeds and reads, as in the first example, in a coroutine [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("sort", ["-n"], { stdin: PIPE, stdout: PIPE });
      expect(process.returncode).toBeNull();
      const { stdout, stderr, drained } = yield* process.communicate("3\n1\n2\n");

      expect(stdout.toString()).toBe("1\n2\n3\n");
      expect({ stderr, drained }).toEqual({ stderr: null, drained: true });
      expect(process.returncode).toBe(0);
      expect(process.signal).toBeNull();
      expect(String(process)).toBe(`<Process ${process.pid} returncode=0>`);
    });
  });

  test("feeds and reads, in an async function [real]", async () => {
    await real(async () => {
      const process = await createSubprocessExec("sort", ["-n"], { stdin: PIPE, stdout: PIPE });
      const { stdout } = await process.communicate(Buffer.from("3\n1\n2\n"));

      expect(stdout.toString()).toBe("1\n2\n3\n");
      expect(await process.wait()).toBe(0);
    });
  });

  test("closes stdin, when there is no input [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });

      expect((yield* process.communicate()).stdout.toString()).toBe("");
    });
  });

  test("goes on after what was written before [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
      yield* process.stdin.send("first ");

      expect((yield* process.communicate("second")).stdout.toString()).toBe("first second");
      expect((yield* process.communicate()).stdout.length).toBe(0);
    });
  });

  test("passes much more than a pipe holds, both ways at once [real]", async () => {
    await real(function* () {
      const data = Buffer.alloc(8 << 20, "0123456789abcdef");
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE, limit: 1000 });

      expect((yield* process.communicate(data)).stdout.equals(data)).toBe(true);
    });
  });

  test("reads a flood of stderr beside stdout [real]", async () => {
    await real(function* () {
      const code = `process.stderr.write("e".repeat(4 << 20), () => process.stdout.write("done"))`;
      const process = yield* createSubprocessExec(...script(code), { stdout: PIPE, stderr: PIPE });
      const { stdout, stderr } = yield* process.communicate();

      expect(stdout.toString()).toBe("done");
      expect(stderr.length).toBe(4 << 20);
    });
  });

  test.each([
    ["exits without reading", "exit 0"],
    ["closes stdin early and goes on", "exec 0<&-; sleep 0.1"],
    ["reads a little of it", "head -c 10 >/dev/null"],
  ])("ignores a broken pipe, when the child %s [real]", async (_, command) => {
    await real(function* () {
      const process = yield* createSubprocessShell(command, { stdin: PIPE, stdout: PIPE });
      const { stdout } = yield* process.communicate("x".repeat(4 << 20));

      expect(stdout.length).toBe(0);
      expect(process.returncode).toBe(0);
    });
  });

  test("leaves the child and all bytes alone, when it is cancelled, and can be called again [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("echo early; read line; echo $line; echo late >&2", {
        stdin: PIPE,
        stdout: PIPE,
        stderr: PIPE,
      });
      while (process.stdout.buffered < 6) yield* sleep(1);
      const waiting = createTask(function* () {
        // No input yet: it would close stdin.
        yield* process.wait();
      });
      const reading = createTask(process.stdout.read());
      yield* sleep(1);
      yield* gather(waiting.cancelAndWait(), reading.cancelAndWait());
      const talking = createTask(process.communicate("hello\n"));
      yield* sleep(0);
      yield* talking.cancelAndWait();

      const { stdout, stderr } = yield* process.communicate();

      expect(talking.cancelled()).toBe(true);
      expect(stdout.toString()).toBe("early\nhello\n");
      expect(stderr.toString()).toBe("late\n");
    });
  });

  test("stops the child and throws what it has by then, when the time is over [real]", async () => {
    await real(function* () {
      const code = `process.on("SIGTERM", () => { process.stdout.write("cleaned up"); process.exit(1) }); process.stdout.write("ready "); setInterval(() => {}, 1000)`;
      const process = yield* createSubprocessExec(...script(code), { stdout: PIPE, stderr: PIPE });
      while (process.stdout.buffered < 6) yield* sleep(1);
      const error = yield* errorOf(process.communicate(null, { timeout: "10ms" }));

      expect(error).toMatchObject({ name: "ProcessTimeoutError", code: "TIMEOUT", stderr: Buffer.alloc(0) });
      expect(String((error as { stdout: Buffer }).stdout)).toBe("ready cleaned up");
      expect(process.returncode).toBe(1);
    });
  });

  test.each(["stdout", "stderr"] as const)("stops the child, when there is too much %s [real]", async (stream) => {
    await real(function* () {
      const process = yield* createSubprocessShell(`yes ${stream === "stderr" ? ">&2" : ""}`, { stdout: PIPE, stderr: PIPE });
      const error = yield* errorOf(process.communicate(null, { maxOutput: 100_000 }));

      expect(error).toMatchObject({ name: "OutputLimitError", code: "OUTPUT_LIMIT" });
      expect((error as { [key in string]: Buffer })[stream]?.length).toBe(100_000);
      expect((error as Error).message).toContain(`at most 100000 bytes of ${stream}`);
      expect(process.signal).toBe("SIGTERM");
    });
  });

  test("gives exactly as much as may be, without an error [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("printf", ["12345"], { stdout: PIPE });

      expect((yield* process.communicate(null, { maxOutput: 5 })).stdout.toString()).toBe("12345");
    });
  });

  test("gives a pipe up that a grandchild holds, and says so [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("sleep 60 & echo $!", { stdout: PIPE });
      const { stdout, drained } = yield* process.communicate(null, { drain: "20ms" });

      expect(drained).toBe(false);
      expect(process.returncode).toBe(0);
      yield* process.waitClosed();
      expect(globalThis.process.kill(Number(stdout.toString()), "SIGKILL")).toBe(true);
    });
  });

  test("looks at what has come, before it gives a pipe up, when this program was busy [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("(sleep 0.05; echo late; exec sleep 60) & exit 0", { stdout: PIPE });
      const talking = createTask(process.communicate(null, { drain: "30ms" }));
      yield* process.wait();
      yield* sleep(0);
      const until = performance.now() + 500;
      while (performance.now() < until);

      expect((yield* talking).stdout.toString()).toBe("late\n");
      globalThis.process.kill(-process.pid, "SIGKILL");
    });
  });

  test("takes in no more than it may, from a child that does not stop writing [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("trap '' TERM; yes", { stdout: PIPE, limit: 1000, grace: "100ms" });
      const talking = createTask(process.communicate(null, { maxOutput: 1000 }));
      let most = 0;
      while (!talking.done()) {
        most = Math.max(most, process.stdout.buffered);
        yield* sleep(1);
      }
      expect(yield* errorOf(talking as never)).toMatchObject({ code: "OUTPUT_LIMIT" });
      expect(process.signal).toBe("SIGKILL");
      expect(most).toBeLessThan(3 << 20);
    });
  });

  test("refuses input behind the end of it, and needs none then [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
      yield* process.stdin.send("all");
      process.stdin.writeEof();
      expect(yield* errorOf(process.communicate("more"))).toMatchObject({ code: "WRITE_AFTER_END" });
      expect((yield* process.communicate()).stdout.toString()).toBe("all");
      const other = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
      other.stdin.close();
      expect(yield* errorOf(other.communicate("more"))).toMatchObject({ code: "WRITE_AFTER_END" });
      yield* other.wait();
      expect((yield* other.communicate("to nobody")).stdout.length).toBe(0);
    });
  });

  test("is refused, when there is no pipe for the input, or somebody reads [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("sleep", ["60"], { stdout: PIPE });
      expect(() => process.communicate("input")).toThrow("start it with stdin: PIPE");
      // @ts-expect-error a number is no input
      expect(() => process.communicate(5)).toThrow("Expected `input` to be bytes (a Uint8Array) or text, got 5");
      expect(() => process.communicate(null, { maxOutput: -1 })).toThrow(RangeError);
      const reading = createTask(process.stdout.read());
      yield* sleep(0);
      expect(yield* errorOf(process.communicate())).toMatchObject({ code: "READER_BUSY" });
      yield* reading.cancelAndWait();
      const talking = createTask(process.communicate());
      yield* sleep(0);
      expect(yield* errorOf(process.communicate())).toMatchObject({ code: "READER_BUSY" });
      yield* talking.cancelAndWait();
      expect(() => createSubprocessExec("x").then).not.toThrow();
    });
  });
});

describe("Process", () => {
  test("wait(), gives the exit code, to all that wait, and again [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("exit 7");

      expect(yield* gather(process.wait(), process.wait())).toEqual([7, 7]);
      expect(yield* process.wait()).toBe(7);
    });
  });

  test.each(["SIGTERM", "SIGKILL", "SIGHUP"] as const)(
    "sendSignal(), ends it with a negative code, by %s [real]",
    async (signal) => {
      await real(function* () {
        const process = yield* createSubprocessExec("sleep", ["60"]);

        expect(process.sendSignal(signal)).toBe(true);
        expect(yield* process.wait()).toBe(-({ SIGTERM: 15, SIGKILL: 9, SIGHUP: 1 }[signal] ?? 0));
        expect(process.signal).toBe(signal);
        expect(process.sendSignal(signal)).toBe(false);
      });
    },
  );

  test("terminate() and kill(), send their signals, and refuse what is none [real]", async () => {
    await real(function* () {
      const [a, b] = yield* gather(createSubprocessExec("sleep", ["60"]), createSubprocessExec("sleep", ["60"]));
      a.terminate();
      b.kill();

      expect(yield* gather(a.wait(), b.wait())).toEqual([-15, -9]);
      expect(() => a.sendSignal("SIGNOTHING" as "SIGHUP")).toThrow('Expected `signal` to be a signal such as "SIGTERM"');
    });
  });

  test("sendSignal(), is handled by the child [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell(
        "trap 'echo got it; exit 5' USR1; echo ready; while :; do sleep 0.01; done",
        {
          stdout: PIPE,
        },
      );
      yield* process.stdout.readline();
      process.sendSignal("SIGUSR1");

      expect((yield* process.stdout.read()).toString()).toBe("got it\n");
      expect(yield* process.wait()).toBe(5);
    });
  });

  test("wait(), does not wait for pipes that a grandchild holds, waitClosed() does [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("sleep 60 & echo $!", { stdout: PIPE });
      const grandchild = Number(yield* process.stdout.readline());
      expect(yield* process.wait()).toBe(0);
      const closing = createTask(process.waitClosed());
      yield* sleep(5);
      const before = { done: closing.done(), closed: process.closed };
      yield* process.stop();
      yield* closing;

      expect(before).toEqual({ done: false, closed: false });
      expect(process.closed).toBe(true);
      expect(membersOf(process.pid)).not.toContain(grandchild);
    });
  });

  test("wait(), keeps the output for later [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("printf 0123456789; printf 01234 >&2", {
        stdout: PIPE,
        stderr: PIPE,
        limit: 1,
      });
      yield* process.wait();
      yield* process.waitClosed();

      expect((yield* process.stdout.read()).toString()).toBe("0123456789");
      expect((yield* process.stderr.read()).toString()).toBe("01234");
    });
  });

  test("wait(), leaves no descriptor, although nobody reads what the child wrote [real]", async () => {
    let process: Process<null, StreamReader, null> | undefined;
    await real(function* () {
      process = yield* createSubprocessShell("yes | head -c 150000", { stdout: PIPE, limit: 1000 });
      yield* process.wait();
      yield* process.waitClosed();
      expect((yield* process.stdout.read()).length).toBe(150_000);
    });
  });

  test("stdout, holds a grandchild back that writes without end, when nobody reads [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("yes & exit 0", { stdout: PIPE, limit: 1000 });
      yield* process.wait();
      let buffered = -1;
      while (buffered !== process.stdout.buffered) {
        buffered = process.stdout.buffered;
        yield* sleep(30);
      }
      expect(buffered).toBeLessThan(2 << 20);
      yield* process.stop();
    });
  });

  test("stdout, holds a child back that writes more than is read, and loses nothing [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("seq -f %020g 1 20000", { stdout: PIPE, limit: 1000 });
      yield* sleep(30);
      const held = process.stdout.buffered;
      let expected = 0;
      for (;;) {
        const line = yield* process.stdout.readline();
        if (line.length === 0) break;
        if (Number(line) !== ++expected) throw new Error(`Expected ${expected}, got ${line}`);
      }

      expect(held).toBeLessThan(200_000);
      expect(expected).toBe(20_000);
      expect(yield* process.wait()).toBe(0);
    });
  });

  test("stdin, reports a child that is gone, when it is written to [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("exec 0<&-; echo closed; sleep 60", { stdin: PIPE, stdout: PIPE });
      yield* process.stdout.readline();
      const error = yield* errorOf(
        (function* () {
          for (;;) yield* process.stdin.send("x".repeat(100_000));
        })(),
      );
      expect(error).toMatchObject({ name: "ConnectionLostError", cause: { code: "EPIPE" } });
      yield* process.stop();
    });
  });

  test("stdin.send(), waits while the child does not read, and can be cancelled [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessExec("sleep", ["60"], { stdin: PIPE });
      const sending = createTask(process.stdin.send("x".repeat(4 << 20)));
      yield* sleep(5);
      expect(sending.done()).toBe(false);
      yield* sending.cancelAndWait();
      expect(yield* process.stop()).toBe(-15);
    });
  });

  test("lines(), gives lines without their ends, in both spellings [real]", async () => {
    const command = "printf 'one\\r\\nzw\\303\\266i\\n\\nlast'";
    const all = ["one", "zwöi", "", "last"];
    await real(async () => {
      const process = await createSubprocessShell(command, { stdout: PIPE });
      const lines: string[] = [];
      for await (const line of process.lines()) lines.push(line);
      expect(lines).toEqual(all);
      for await (const line of process.lines()) throw new Error(line);
      await process.waitClosed();
    });
    await real(function* () {
      const process = yield* createSubprocessShell(command, { stdout: PIPE });
      const lines = process.lines({ encoding: "utf8" });
      const got: string[] = [];
      for (let next = yield* lines.next(); !next.done; next = yield* lines.next()) got.push(next.value);
      expect(got).toEqual(all);
      expect((yield* lines.next()).done).toBe(true);
      yield* process.waitClosed();
    });
  });

  test("lines(), leaves the rest, when one breaks, and refuses what it cannot read [real]", async () => {
    await real(async () => {
      const process = await createSubprocessShell("echo one; echo two", { stdout: PIPE });
      for await (const line of process.lines()) {
        expect(line).toBe("one");
        break;
      }
      for await (const line of process.lines()) expect(line).toBe("two");
      // @ts-expect-error a newline has two bytes there
      expect(() => process.lines({ encoding: "utf16le" })).toThrow("read");
      const silent = await createSubprocessExec("true");
      expect(() => silent.lines()).toThrow("start it with stdout: PIPE");
      await silent.wait();
      await process.waitClosed();
    });
  });

  test("types, follow the options", () => {
    const some = {} as { stdout?: "pipe" | "inherit" };
    const start = () => createSubprocessExec("x", [], { stdin: PIPE, stderr: STDOUT });
    const wide = () => createSubprocessExec("x", [], some);
    const none = () => createSubprocessShell("x");

    expectTypeOf(start).returns.toEqualTypeOf<Operation<Process<StreamWriter, null, null>>>();
    expectTypeOf(wide).returns.toEqualTypeOf<Operation<Process<null, StreamReader | null, null>>>();
    expectTypeOf(none).returns.toEqualTypeOf<Operation<Process<null, null, null>>>();
  });
});

describe("redirections", () => {
  test("STDOUT, brings both outputs in the order of writing, as createSubprocessExec() reads them [real]", async () => {
    await real(function* () {
      const lines = Array.from({ length: 200 }, (_, i) => `echo ${i}${i % 2 === 0 ? "" : " >&2"}`).join("\n");
      const process = yield* createSubprocessExec("sh", ["-c", lines], { stdout: PIPE, stderr: STDOUT });
      const { stdout, stderr, drained } = yield* process.communicate();

      expect(stdout.toString()).toBe(Array.from({ length: 200 }, (_, i) => `${i}\n`).join(""));
      expect({ stderr, drained }).toEqual({ stderr: null, drained: true });
    });
  });

  test("STDOUT, follows stdout to DEVNULL and to a file; a descriptor and a stream are taken as they are [real]", async () => {
    await inFolder((folder) =>
      real(function* () {
        const file = join(folder, "out");
        const fd = openSync(file, "w+");
        const command = "echo out; echo err >&2";
        const first = yield* createSubprocessShell(command, { stdout: fd, stderr: STDOUT });
        yield* first.wait();
        const second = yield* createSubprocessShell(command, { stdout: DEVNULL, stderr: STDOUT });
        yield* second.wait();
        const input = openSync(file, "r");
        const third = yield* createSubprocessShell("cat; echo more >&2", { stdin: input, stdout: PIPE, stderr: fd });
        const { stdout } = yield* third.communicate();
        closeSync(input);
        closeSync(fd);

        expect([first.stdout, first.stderr, second.stdout]).toEqual([null, null, null]);
        expect(stdout.toString()).toBe("out\nerr\n");
        expect(readFileSync(file, "utf8")).toBe("out\nerr\nmore\n");
      }),
    );
  });

  test("DEVNULL, is at its end for a child that reads [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("wc -c", { stdin: DEVNULL, stdout: PIPE });

      expect((yield* process.communicate()).stdout.toString().trim()).toBe("0");
    });
  });

  test("cwd, env, uid and arguments, reach the child as they are [real]", async () => {
    await inFolder((folder) =>
      real(function* () {
        const code = `console.log(JSON.stringify([process.cwd(), process.env, process.argv.slice(1)]))`;
        const [program, args] = script(code, "a b", "$HOME", "*", "");
        const process = yield* createSubprocessExec(program, args, {
          cwd: pathToFileURL(folder),
          env: { ONE: "1", none: undefined },
          stdout: PIPE,
        });
        expect(JSON.parse((yield* process.communicate()).stdout.toString())).toEqual([
          folder,
          { ONE: "1" },
          ["a b", "$HOME", "*", ""],
        ]);
        if (globalThis.process.getuid?.() !== 0) return;
        const other = yield* createSubprocessShell("id -u; id -g", { uid: 1234, gid: 2345, stdout: PIPE });
        expect((yield* other.communicate()).stdout.toString()).toBe("1234\n2345\n");
      }),
    );
  });
});

describe("the start", () => {
  function* failureOf(...args: Parameters<typeof createSubprocessExec>) {
    return (yield* errorOf(createSubprocessExec(...args))) as ProcessStartError;
  }

  test.each([
    ["the program", "ENOENT", "program", "no folder of PATH has it", "no-such-program-at-all", {}],
    ["a path", "ENOENT", "program", "there is no such file", "./no-such-program", {}],
    ["the folder", "ENOENT", "cwd", "its `cwd` /no/such/folder does not exist", "true", { cwd: "/no/such/folder" }],
    ["a folder that is a file", "ENOTDIR", "cwd", "is not a folder", "true", { cwd: "/etc/passwd" }],
    ["a file without permission", "EACCES", "program", "it may not be executed", "/etc/passwd", {}],
    ["a folder as program", "EACCES", "program", "it may not be executed", "/tmp", {}],
  ] as const)("fails with a ProcessStartError, which tells %s [real]", async (_, code, reason, message, program, options) => {
    await real(function* () {
      const pipes = { stdin: PIPE, stdout: PIPE, stderr: PIPE } as const;
      const error = yield* failureOf(program, [], { ...pipes, ...options });

      expect(error).toMatchObject({ name: "ProcessStartError", code, reason, program });
      expect(error.message).toContain(message);
      expect(error.cause).toBeInstanceOf(Error);
    });
  });

  test("tells an interpreter that is not there, and too long arguments [real]", async () => {
    await inFolder((folder) =>
      real(function* () {
        const file = join(folder, "script");
        writeFileSync(file, "#!/no/such/interpreter -x\n");
        chmodSync(file, 0o755);

        expect(yield* failureOf(file)).toMatchObject({ code: "ENOENT", reason: "interpreter" });
        expect((yield* failureOf(file)).message).toBe(
          `Cannot start ${file}: its interpreter /no/such/interpreter -x was not found`,
        );
        expect(yield* failureOf("true", ["x".repeat(10 << 20)], { stdout: PIPE, stderr: STDOUT })).toMatchObject({
          code: "E2BIG",
          reason: "other",
        });
      }),
    );
  });

  test("fails in an async function as well, and the shell is found missing [real]", async () => {
    await real(async () => {
      await expect(createSubprocessExec("no-such-program-at-all")).rejects.toMatchObject({ code: "ENOENT" });
      await expect(createSubprocessShell("true", { shell: "/no/such/shell" })).rejects.toMatchObject({ reason: "program" });
      const process = await createSubprocessShell("no-such-program-at-all", { stderr: DEVNULL });
      expect(await process.wait()).toBe(127);
    });
  });

  test("refuses wrong arguments at once, and says what is right", () => {
    const exec = createSubprocessExec as (...args: unknown[]) => unknown;
    const wrong: [unknown[], string][] = [
      [[5], "Expected `program` to be a string, got 5"],
      [[""], "Expected `program` to have at least one character"],
      [["a\0b"], "Expected `program` to have no NUL in it"],
      [["a", "-n"], "Expected `args` to be an array of strings"],
      [["a", [1]], "Expected `args[0]` to be a string, got 1"],
      [["a", [], 5], "Expected `options` to be an object"],
      [["a", [], { encoding: "utf8" }], "Expected no option `encoding`: streams are bytes"],
      [["a", [], { shell: true }], "Expected no option `shell`: use createSubprocessShell()"],
      [["a", [], { colour: 1 }], "Expected no option `colour`: there are stdin"],
      [["a", [], { stdin: "pipes" }], "Expected `stdin` to be PIPE, DEVNULL"],
      [["a", [], { stdout: STDOUT }], "Expected `stdout` to be PIPE, DEVNULL"],
      [["a", [], { stderr: -1 }], "Expected `stderr` to be STDOUT, PIPE, DEVNULL"],
      [["a", [], { uid: -1 }], "Expected `uid` to be an integer ≥ 0"],
      [["a", [], { limit: 0 }], "Expected `limit` to be an integer ≥ 1"],
      [["a", [], { env: { A: 1 } }], "Expected `env.A` to be a string"],
      [["a", [], { env: "A=1" }], "Expected `env` to be an object"],
      [["a", [], { cwd: 1 }], "Expected `cwd` to be a string"],
      [["a", [], { group: 1 }], "Expected `group` to be true or false"],
      [["a", [], { killSignal: "SIGFOO" }], "Expected `killSignal` to be a signal"],
      [["a", [], { grace: -1 }], "Expected `grace` to be ≥ 0"],
    ];
    for (const [args, message] of wrong) expect(() => exec(...args)).toThrow(message);
    expect(() => createSubprocessShell(5 as never)).toThrow("Expected `command` to be a string, got 5");
  });

  test("leaves no child, when it is cancelled before and while it starts, at each turn [real]", async () => {
    await real(function* () {
      for (const merged of [false, true]) {
        for (let turns = 0; turns < 12; turns++) {
          const task = createTask(function* () {
            const process = yield* createSubprocessExec("sleep", ["60"], { stdout: PIPE, stderr: merged ? STDOUT : DEVNULL });
            yield* process.wait();
          });
          for (let i = 0; i < turns; i++) yield* sleep(0);
          yield* task.cancelAndWait();
          expect(task.cancelled()).toBe(true);
        }
      }
    });
  });

  test("waits for nothing, if it succeeds: a cancellation finds no process that nobody has [real]", async () => {
    await real(function* () {
      const task = createTask(function* () {
        task.cancel();
        const process = yield* createSubprocessExec("sleep", ["60"]);
        try {
          yield* process.wait();
        } catch (error) {
          expect(isCancelled(error)).toBe(true);
          yield* process.stop();
        }
      });
      yield* waitFor(task, "10s");
    });
  });

  test.runIf(linux)("tells that too many files are open, and leaves none [real]", async () => {
    await real(function* () {
      const held: number[] = [];
      const limit = Number(/Max open files\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
      if (limit > 100_000) return;
      try {
        for (;;) held.push(openSync("/dev/null", "r"));
      } catch {}
      const error = yield* failureOf("true", [], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      for (const fd of held) closeSync(fd);
      expect(error).toMatchObject({ code: "EMFILE", reason: "other" });
    });
  });
});
