import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { allTasks, createTask, currentTask, EventLoop, Runner, run, sleep, type Task, taskGroup, timeout } from "tsyncio";
import {
  createSubprocessExec,
  createSubprocessShell,
  PIPE,
  type Process,
  runProcess,
  STDOUT,
  withSubprocess,
} from "tsyncio/subprocess";
import { describe, expect, test } from "vitest";
import { childrenOf, errorOf, inFolder, membersOf, real, script } from "./support.ts";

/** Is told to end, and does not; its children do. */
const STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
/** Is told to end, and writes a file before it does. */
const tidy = (file: string) =>
  script(`process.on("SIGTERM", () => setTimeout(() => { require("fs").writeFileSync(${JSON.stringify(file)}, "clean"); process.exit(4) }, 30));
          console.log("ready"); setInterval(() => {}, 1000)`);

function gone(pid: number): boolean {
  return membersOf(pid).length === 0;
}

describe("Process.stop()", () => {
  test("ends the child and all of its group, and can be called again [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("sleep 60 & sleep 60 | sleep 60 & echo ready; wait", { stdout: PIPE });
      yield* process.stdout.readline();
      expect(membersOf(process.pid).length).toBeGreaterThanOrEqual(4);

      expect(yield* process.stop()).toBe(-15);
      expect(gone(process.pid)).toBe(true);
      expect(process.closed).toBe(true);
      expect(yield* process.stop()).toBe(-15);
    });
  });

  test("kills a child that ignores SIGTERM, when the grace is over [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell(STUBBORN, { stdout: PIPE, grace: "30ms" });
      yield* process.stdout.readline();

      expect(yield* process.stop()).toBe(-9);
      expect(process.signal).toBe("SIGKILL");
      expect(gone(process.pid)).toBe(true);
    });
  });

  test("kills what is left of the group, when the child has ended and the grace is over [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell(`(${STUBBORN}) & wait`, { stdout: PIPE, grace: "50ms" });
      yield* process.stdout.readline();

      expect(yield* process.stop()).toBe(-15);
      expect(gone(process.pid)).toBe(true);
    });
  });

  test("leaves a grandchild its grace, although the child ends at once [real]", async () => {
    await inFolder((folder) =>
      real(function* () {
        const file = join(folder, "done");
        const [program, args] = tidy(file);
        const process = yield* createSubprocessExec("sh", ["-c", '"$@" & wait', "sh", program, ...args], { stdout: PIPE });
        yield* process.stdout.readline();

        expect(yield* process.stop()).toBe(-15);
        expect(readFileSync(file, "utf8")).toBe("clean");
        expect(gone(process.pid)).toBe(true);
      }),
    );
  });

  test("gives up a pipe that somebody outside of the group holds [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("setsid sh -c 'echo $$; exec sleep 60' & wait", { stdout: PIPE });
      const stranger = Number(yield* process.stdout.readline());
      expect(yield* process.stop()).toBe(-15);

      expect(process.closed).toBe(true);
      expect((yield* process.stdout.read()).length).toBe(0);
      expect(globalThis.process.kill(stranger, "SIGKILL")).toBe(true);
    });
  });

  test("ends a child that has been stopped by SIGSTOP, or takes another signal [real]", async () => {
    await real(function* () {
      const halted = yield* createSubprocessExec("sleep", ["60"]);
      halted.sendSignal("SIGSTOP");
      // Of two signals that are pending, the lower one comes first.
      while (!childrenOf(globalThis.process.pid).includes(`${halted.pid} sleep T`)) yield* sleep(1);
      expect(yield* halted.stop({ grace: "10ms" })).toBe(-9);
      const other = yield* createSubprocessExec("sleep", ["60"], { killSignal: "SIGINT" });
      expect(yield* other.stop()).toBe(-2);
      const third = yield* createSubprocessExec("sleep", ["60"]);
      expect(yield* third.stop({ signal: "SIGHUP" })).toBe(-1);
      expect(() => third.stop({ grace: -1 })).toThrow(RangeError);
    });
  });

  test("goes on, when the wait for it is cancelled, and takes a shorter grace [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell(STUBBORN, { stdout: PIPE, grace: "1h" });
      yield* process.stdout.readline();
      const stopping = createTask(process.stop());
      yield* sleep(5);
      yield* stopping.cancelAndWait();
      expect(process.returncode).toBeNull();

      expect(yield* process.stop({ grace: 0 })).toBe(-9);
    });
  });

  test("keeps what was written, up to the end [real]", async () => {
    await real(function* () {
      const code = `process.on("SIGTERM", () => process.stdout.write("b".repeat(100000), () => process.exit()));
                    process.stdout.write("a".repeat(100000)); setInterval(() => {}, 1000)`;
      const process = yield* createSubprocessExec(...script(code), { stdout: PIPE, limit: 100 });
      while (process.stdout.buffered === 0) yield* sleep(1);
      const reading = createTask(process.stdout.readexactly(100_000));
      yield* reading;
      yield* process.stop();

      expect((yield* process.stdout.read()).toString()).toBe("b".repeat(100_000));
    });
  });

  test("leaves others of the group alone, when there is no group of its own [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell("sleep 60 & echo $!; wait", { stdout: PIPE, group: false });
      const grandchild = Number(yield* process.stdout.readline());

      expect(yield* process.stop()).toBe(-15);
      expect(globalThis.process.kill(grandchild, "SIGKILL")).toBe(true);
    });
  });

  test("kill(), reaches the child alone, and with `group` all [real]", async () => {
    await real(function* () {
      const command = "sleep 60 & sleep 60 & echo ready; wait";
      const alone = yield* createSubprocessShell(command, { stdout: PIPE });
      yield* alone.stdout.readline();
      alone.kill();
      expect(yield* alone.wait()).toBe(-9);
      expect(membersOf(alone.pid).length).toBe(2);
      yield* alone.stop();
      expect(gone(alone.pid)).toBe(true);
      const all = yield* createSubprocessShell(command, { stdout: PIPE });
      yield* all.stdout.readline();
      all.kill({ group: true });
      yield* all.waitClosed();
      // A process that was killed closes its pipes a little before it is gone.
      while (!gone(all.pid)) yield* sleep(1);
    });
  });
});

describe("a process", () => {
  test("is stopped, when the task that started it is cancelled, in both spellings [real]", async () => {
    await real(function* () {
      const started: Process[] = [];
      const jobs = [
        function* () {
          const process = yield* createSubprocessShell("sleep 60 & sleep 60", { stdout: PIPE });
          started.push(process);
          yield* process.stdout.read();
        },
        async () => {
          const process = await createSubprocessShell("sleep 60 & sleep 60", { stdout: PIPE });
          started.push(process);
          await process.wait();
        },
      ];
      for (const job of jobs) {
        const task: Task<void> = createTask(job as () => never);
        while (started.length === 0) yield* sleep(1);
        const process = started.pop() as Process;
        yield* task.cancelAndWait();
        yield* process.waitClosed();
        expect(process.returncode).toBe(-15);
        expect(gone(process.pid)).toBe(true);
      }
    });
  });

  test("is stopped, when the task that started it fails, and goes on, when that returns [real]", async () => {
    await real(function* () {
      const failing = createTask(function* () {
        const process = yield* createSubprocessExec("sleep", ["60"]);
        throw Object.assign(new Error("failed"), { process });
      });
      yield* failing.join();
      const { process } = failing.exception() as { process: Process };
      expect(yield* process.wait()).toBe(-15);
      const other = yield* createTask(() => createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE }));
      yield* sleep(5);
      expect((yield* other.communicate("still here")).stdout.toString()).toBe("still here");
    });
  });

  test("is stopped in an orderly way at the end of run(), which waits for it [real]", async () => {
    await inFolder(async (folder) => {
      const files = ["a", "b"].map((name) => join(folder, name));
      const started: Process[] = [];
      await real(function* () {
        for (const file of files) {
          const process = yield* createSubprocessExec(...tidy(file), { stdout: PIPE });
          yield* process.stdout.readline();
          started.push(process);
        }
      });

      expect(files.map((file) => existsSync(file))).toEqual([true, true]);
      expect(started.map((each) => [each.returncode, each.closed])).toEqual([
        [4, true],
        [4, true],
      ]);
    });
  });

  test("that a cleanup starts at the end of run(), is stopped after the cleanup, not with the others [real]", async () => {
    for (const pause of [0, 5]) {
      let started: Process | undefined;
      let output = "";
      await real(function* () {
        createTask(function* () {
          try {
            yield* sleep("1h");
          } catch {
            if (pause > 0) yield* sleep(pause);
            output = (yield* runProcess("sh", ["-c", "sleep 0.05; echo cleaned up"], { encoding: "utf8" })).stdout;
            started = yield* createSubprocessExec("sleep", ["60"]);
          }
        });
        const early = yield* createSubprocessShell(STUBBORN, { stdout: PIPE, grace: "100ms" });
        yield* early.stdout.readline();
      });

      expect(output).toBe("cleaned up\n");
      expect(started?.returncode).toBe(-15);
    }
  });

  test("leaves nothing with the task that started it, when it has ended [real]", async () => {
    await real(function* () {
      const task = currentTask() as unknown as { _waitingList(): unknown[] };
      const before = task._waitingList().length;
      const process = yield* createSubprocessExec("cat", [], { stdin: PIPE });
      expect(task._waitingList().length).toBe(before + 1);
      process.stdin.close();
      yield* process.waitClosed();

      expect(task._waitingList().length).toBe(before);
    });
  });

  test("whose pipe a grandchild holds, does not keep run() from its end [real]", async () => {
    let process: Process | undefined;
    await real(function* () {
      process = yield* createSubprocessShell("sleep 60 & exit 0", { stdout: PIPE });
      yield* process.wait();
    });

    expect(process?.closed).toBe(true);
    expect(gone(process?.pid as number)).toBe(true);
  });

  test("is stopped, when run() ends in the turn in which it was started [real]", async () => {
    let process: Process | undefined;
    const loop = new EventLoop();
    await run(
      function* () {
        loop.stop();
        process = yield* createSubprocessExec("sleep", ["60"]);
        yield* sleep("1h");
      },
      { loop, signals: [] },
    ).catch(() => {});

    expect(process?.returncode).toBe(-15);
  });

  test("gets its own process group, or none, as `group` says [real]", async () => {
    await real(function* () {
      const own = yield* createSubprocessExec("sleep", ["60"], { stdin: PIPE });
      const shared = yield* createSubprocessExec("sleep", ["60"], { group: false });

      expect(membersOf(own.pid)).toEqual([own.pid]);
      expect(membersOf(shared.pid)).toEqual([]);
      yield* own.stop();
      yield* shared.stop();
    });
  });

  test("is killed at once, when what guards it is cancelled twice [real]", async () => {
    await real(function* () {
      const process = yield* createSubprocessShell(STUBBORN, { stdout: PIPE, grace: "1h" });
      yield* process.stdout.readline();
      const [guardian] = [...allTasks()].filter((each) => each.name === "subprocesses");
      guardian?.cancel();
      yield* sleep(5);
      expect(process.returncode).toBeNull();
      guardian?.cancel();

      expect(yield* process.wait()).toBe(-9);
      yield* guardian?.join() ?? sleep(0);
      expect(guardian?.cancelled()).toBe(true);
    });
  });

  test("lives on between two runs of a Runner, and is stopped when that closes [real]", async () => {
    const loop = new EventLoop();
    const runner = new Runner({ loop, signals: [] });
    const process = await runner.run(() => createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE }));
    const answer = await runner.run(function* () {
      yield* process.stdin.send("hello\n");
      return (yield* process.stdout.readline()).toString();
    });
    const before = process.returncode;
    await runner.close();

    expect(answer).toBe("hello\n");
    expect(before).toBeNull();
    expect(process.returncode).toBe(-15);
    expect(globalThis.process.listenerCount("exit")).toBe(0);
  });

  test("belongs to nobody outside of a task, and `await using` stops it [real]", async () => {
    let seen: Process;
    {
      await using process = await createSubprocessExec("sleep", ["60"], { stdin: PIPE });
      seen = process;
      expect(process.returncode).toBeNull();
    }
    expect(seen.returncode).toBe(-15);
    expect(seen.closed).toBe(true);
  });
});

describe("withSubprocess()", () => {
  test("stops what still runs, when its body returns or throws, in both spellings [real]", async () => {
    await real(async () => {
      const pids: Process[] = [];
      const sleeping = () => createSubprocessShell("sleep 60 & sleep 60", { stdout: PIPE });
      const value = await withSubprocess(sleeping(), async (process) => {
        pids.push(process);
        await sleep(1);
        return "value";
      });
      const failed = withSubprocess(sleeping(), function* (process) {
        pids.push(process);
        yield* sleep(1);
        throw new Error("from the body");
      });
      await expect(failed).rejects.toThrow("from the body");

      expect(value).toBe("value");
      expect(pids.map((each) => [each.returncode, each.closed, gone(each.pid)])).toEqual([
        [-15, true, true],
        [-15, true, true],
      ]);
    });
  });

  test("stops it, and waits for that, when it is cancelled, however often [real]", async () => {
    await real(function* () {
      let process: Process | undefined;
      const task = createTask(
        withSubprocess(createSubprocessShell(STUBBORN, { stdout: PIPE, grace: "50ms" }), function* (child) {
          process = child;
          yield* child.wait();
        }),
      );
      while ((process as Process | undefined)?.stdout?.buffered !== 6) yield* sleep(1);
      task.cancel();
      yield* sleep(5);
      task.cancel();
      yield* task.join();

      expect(task.cancelled()).toBe(true);
      expect(process?.returncode).toBe(-9);
    });
  });

  test("leaves nothing, when a timeout or a sibling's failure ends it [real]", async () => {
    await real(function* () {
      const children: Process[] = [];
      const holding = () =>
        withSubprocess(createSubprocessExec("sleep", ["60"]), function* (process) {
          children.push(process);
          yield* process.wait();
        });
      expect(yield* errorOf(timeout("5ms", holding))).toMatchObject({ name: "TimeoutError" });
      const failed = errorOf(
        taskGroup(function* (group) {
          group.createTask(holding());
          group.createTask(function* () {
            yield* sleep(5);
            throw new Error("sibling");
          });
        }),
      );
      expect((yield* failed) as Error).toMatchObject({ name: "ExceptionGroup" });
      expect(children.map((each) => each.returncode)).toEqual([-15, -15]);
    });
  });

  test("leaves nothing, when it is cancelled at any turn of a whole exchange [real]", async () => {
    await real(function* () {
      for (let turns = 0; turns < 40; turns++) {
        const children: Process[] = [];
        const start = createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE, stderr: turns % 2 === 0 ? STDOUT : PIPE });
        const task = createTask(
          withSubprocess(start, function* (process) {
            children.push(process);
            yield* process.stdin.send("one\n");
            yield* process.stdout.readline();
            return (yield* process.communicate("two\n")).stdout.toString();
          }),
        );
        for (let i = 0; i < turns; i++) yield* sleep(turns % 3 === 0 ? 1 : 0);
        yield* task.cancelAndWait();
        expect(children.every((each) => each.closed)).toBe(true);
        if (!task.cancelled()) expect(task.result()).toBe("two\n");
      }
    });
  });

  test("refuses a process that has been awaited, and a body that is called already", () => {
    expect(() => withSubprocess({} as never, () => 1)).toThrow("give it createSubprocessExec(…) itself, not awaited");
    expect(() => withSubprocess(createSubprocessExec("true"), 5 as never)).toThrow("the body of withSubprocess()");
  });
});

test("processes, leave nothing behind, whoever is cancelled when, in a crowd [real]", async () => {
  await real(function* () {
    let seed = 42;
    const random = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return seed % n;
    };
    const kinds = [
      () => runProcess("cat", [], { input: "x".repeat(300_000) }),
      () => runProcess("sh", ["-c", "yes | head -c 300000; sleep 0.02"], { maxOutput: 400_000 }),
      () => runProcess("sh", ["-c", "sleep 60 & sleep 60"], { timeout: "20ms" }),
      () => runProcess("sh", ["-c", "yes >&2"], { maxOutput: 100_000 }),
      () => runProcess("sh", ["-c", "exec 0<&-; exit 3"], { input: "y".repeat(300_000), stderr: STDOUT }),
      () => runProcess("no-such-program-at-all"),
    ];
    const tasks: Task<unknown>[] = [];
    for (let i = 0; i < 60; i++) {
      tasks.push(createTask((kinds[random(kinds.length)] as () => never)()));
      if (i % 8 === 7) {
        yield* sleep(random(25));
        for (const task of tasks) if (random(3) === 0) task.cancel();
        for (const task of tasks.splice(0)) yield* task.join();
      }
    }
    for (const task of tasks) yield* task.join();
  });
});

test("run(), throws what main throws, with a child that runs [real]", async () => {
  const failing = run(function* () {
    yield* createSubprocessExec("sleep", ["60"]);
    throw new Error("main failed");
  });
  await expect(failing).rejects.toThrow("main failed");
});
