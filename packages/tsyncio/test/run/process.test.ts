import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";

const interruptible = (spelling: "function*" | "async", body: string): string =>
  spelling === "function*"
    ? `import { run, sleep } from "tsyncio"; await run(function* () { ${body} });`
    : `import { run, sleep } from "tsyncio"; await run(async () => { ${body.replaceAll("yield*", "await")} });`;

for (const spelling of ["function*", "async"] as const) {
  test(`run() cancels the main task, when SIGINT comes the first time, ${spelling} [real]`, async () => {
    const source = interruptible(
      spelling,
      `try { console.log("up"); yield* sleep("1h"); } finally { yield* sleep(10); console.log("cleaned up"); }`,
    );

    const { stdout, stderr, code } = await runProgram(source, { onLine: (line, kill) => line === "up" && kill("SIGINT") });

    expect(stdout).toBe("up\ncleaned up\n");
    expect(stderr).toContain("KeyboardInterrupt: interrupted by SIGINT");
    expect(code).toBe(130);
  });
}

test("run() rejects at once, when SIGINT comes the second time while main ignores the first [real]", async () => {
  const source = `
    import { KeyboardInterrupt, run, sleep } from "tsyncio";
    try {
      await run(function* () {
        console.log("up");
        try { yield* sleep("1h"); } catch { console.log("ignored"); yield* sleep("1h"); }
      });
    } catch (error) { console.log(error instanceof KeyboardInterrupt, error.code); }`;

  const { stdout, code } = await runProgram(source, {
    onLine: (line, kill) => (line === "up" || line === "ignored") && kill("SIGINT"),
  });

  expect(stdout).toBe("up\nignored\ntrue INTERRUPTED\n");
  expect(code).toBe(0);
});

test("run() gives main's value, when main swallows the cancellation of SIGINT [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    console.log(await run(function* () { console.log("up"); try { yield* sleep("1h"); } catch { return "swallowed"; } }));`;

  const { stdout, code } = await runProgram(source, { onLine: (line, kill) => line === "up" && kill("SIGINT") });

  expect(stdout).toBe("up\nswallowed\n");
  expect(code).toBe(0);
});

test("run() reacts to SIGTERM, when it is among the signals [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    await run(function* () { console.log("up"); try { yield* sleep("1h"); } finally { console.log("down"); } }, { signals: ["SIGINT", "SIGTERM"] });`;

  const { stdout, code } = await runProgram(source, { onLine: (line, kill) => line === "up" && kill("SIGTERM") });

  expect(stdout).toBe("up\ndown\n");
  expect(code).toBe(143);
});

test("run() leaves SIGINT to the user's own handler, when there is one [real]", async () => {
  const source = `
    import { run, sleep, Event } from "tsyncio";
    const stop = new Event();
    process.on("SIGINT", () => stop.set());
    await run(function* () { console.log("up"); const t = setTimeout(() => {}, 60_000); yield* stop.wait(); clearTimeout(t); console.log("own way"); });`;

  const { stdout, code } = await runProgram(source, { onLine: (line, kill) => line === "up" && kill("SIGINT") });

  expect(stdout).toBe("up\nown way\n");
  expect(code).toBe(0);
});

test("run() takes its signal handlers away, when it has ended [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    await run(function* () { yield* sleep(1); });
    console.log(process.listenerCount("SIGINT"), process.listenerCount("beforeExit"));`;

  const { stdout } = await runProgram(source);

  expect(stdout).toBe("0 0\n");
});

const deadlocked = `
  import { createTask, Lock, run, sleep, taskGroup } from "tsyncio";
  const a = new Lock({ name: "a" });
  const b = new Lock({ name: "b" });
  function* both(first, second) {
    yield* first.with(function* () {
      yield* sleep(1);
      yield* second.acquire();
    });
  }
  await run(function* () {
    yield* taskGroup(function* (group) {
      group.createTask(both(a, b), { name: "left" });
      group.createTask(both(b, a), { name: "right" });
    });
  }, { name: "main" });`;

test("run() ends with DeadlockError and the wait graph, when two tasks take two locks in opposite order [real]", async () => {
  const { code, stderr } = await runProgram(deadlocked);

  expect(code).toBe(1);
  expect(stderr).toContain("DeadlockError: nothing can ever run again");
  expect(stderr).toContain("main waits for TaskGroup (2 to go) → left, right");
  expect(stderr).toContain("left waits for Lock 'b' held by right");
  expect(stderr).toContain("right waits for Lock 'a' held by left");
  expect(stderr).toContain("cycle: left → right → left");
});

test("run() runs the cleanup of all tasks, when the program is deadlocked [real]", async () => {
  const source = `
    import { Event, createTask, run, sleep } from "tsyncio";
    try {
      await run(async () => {
        createTask(function* () { try { yield* new Event({ name: "never" }).wait(); } finally { yield* sleep(1); console.log("child clean"); } }, { name: "child" });
        try { await new Event().wait(); } finally { await sleep(1); console.log("main clean"); }
      });
    } catch (error) { console.log(error.name, error.waiting.length); }`;

  const { stdout, code } = await runProgram(source);

  expect(stdout.split("\n").sort().join("\n").trim()).toBe(["DeadlockError 2", "child clean", "main clean"].join("\n"));
  expect(code).toBe(0);
});

test("run() ends with DeadlockError, when an async main awaits a promise that never settles [real]", async () => {
  const { code, stderr } = await runProgram(
    `import { run } from "tsyncio"; await run(async () => { await new Promise(() => {}); });`,
  );

  expect(code).not.toBe(0);
  expect(stderr).toContain("DeadlockError");
  expect(stderr).toContain("async function");
});

test("run() ends with DeadlockError and a non-zero exit, when nobody awaits its promise [real]", async () => {
  const { code, stderr } = await runProgram(`import { run, Queue } from "tsyncio"; run(new Queue(0, { name: "jobs" }).get());`);

  expect(code).toBe(1);
  expect(stderr).toContain("Queue 'jobs'.get (empty)");
});

test("run() ends, when a leftover task refuses to end and nothing is left to wait for [real]", async () => {
  const source = `
    import { createTask, Future, run, sleep } from "tsyncio";
    console.log(await run(function* () {
      createTask(function* () { for (;;) try { yield* new Future(); } catch {} }, { name: "stubborn" });
      yield* sleep(1);
      return "main is done";
    }));`;

  const { stdout, stderr, code } = await runProgram(source);

  expect(stdout).toBe("main is done\n");
  expect(stderr).toContain("Task was destroyed but it is pending!");
  expect(stderr).toContain("stubborn");
  expect(code).toBe(0);
});

test("run() keeps nothing alive and prints nothing, when all is well [real]", async () => {
  const source = `
    import { run, sleep, gather, Lock } from "tsyncio";
    await run(async () => { await gather(sleep(1), sleep(2)); const l = new Lock(); await l.acquire(); });`;

  expect(await runProgram(source)).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
});

test("a failed task that nobody awaits is reported with its error, when the program ends [real]", async () => {
  const source = `
    import { createTask, run, sleep } from "tsyncio";
    await run(function* () {
      createTask(function* () { throw new Error("lost"); }, { name: "orphan" });
      yield* sleep(5);
    });`;

  const { stderr, code } = await runProgram(source);

  expect(stderr).toContain("Task exception was never retrieved");
  expect(stderr).toContain("orphan");
  expect(stderr).toContain("Error: lost");
  expect(code).toBe(0);
});

test("a failed task that is collected is reported, before the program ends [real]", async () => {
  const source = `
    import { createTask, run, sleep } from "tsyncio";
    await run(function* () {
      createTask(function* () { throw new Error("lost early"); });
      yield* sleep(5);
      for (let i = 0; i < 50; i++) { globalThis.gc(); yield* sleep(2); }
      console.error("main ends");
    });`;

  const { stderr } = await runProgram(source, { args: ["--expose-gc"] });

  expect(stderr.indexOf("lost early")).toBeGreaterThan(-1);
  expect(stderr.indexOf("lost early")).toBeLessThan(stderr.indexOf("main ends"));
});

test("a task that fails and is awaited late trips no unhandledRejection [real]", async () => {
  const source = `
    import { createTask, run, sleep } from "tsyncio";
    await run(async () => {
      const task = createTask(async () => { throw new Error("early"); });
      await sleep(20);
      await new Promise((resolve) => setTimeout(resolve, 20));
      try { await task; } catch (error) { console.log(error.message); }
    });`;

  expect(await runProgram(source)).toMatchObject({ code: 0, stdout: "early\n", stderr: "" });
});

test("operations work outside of any task and let the process end, when awaited at top level [real]", async () => {
  const source = `
    import { Lock, sleep, gather, Queue, timeout } from "tsyncio";
    const lock = new Lock();
    const guard = await lock.acquire();
    setTimeout(() => guard.release(), 5);
    await lock.with(async () => { await sleep(1); });
    console.log(await gather(sleep(1, "a"), async () => "b"), lock.locked());
    try { await timeout(5, async () => { await sleep(1000); }); } catch (error) { console.log(error.name); }`;

  expect(await runProgram(source)).toMatchObject({ code: 0, stdout: "[ 'a', 'b' ] false\nTimeoutError\n", stderr: "" });
});

test("a 5 ms timer and a socket get their turn, when a coroutine yields in an endless loop [real]", async () => {
  const source = `
    import { createServer, connect } from "node:net";
    import { createTask, run, sleep, Event } from "tsyncio";
    await run(function* () {
      let spins = 0, fired = 0;
      const spinner = createTask(function* () { for (;;) { spins++; yield* sleep(0); } });
      const timer = setInterval(() => { fired++; }, 5);
      const echoed = new Event();
      const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1", () => {
        const client = connect(server.address().port, "127.0.0.1", () => client.write("ping"));
        client.on("data", (data) => { console.log(String(data)); client.destroy(); server.close(); echoed.set(); });
      });
      yield* echoed.wait();
      yield* sleep(300);
      spinner.cancel();
      clearInterval(timer);
      console.log(spins > 1000, fired > 10);
    });`;

  const { stdout } = await runProgram(source);

  expect(stdout).toBe("ping\ntrue true\n");
});

test("a timer gets its turn, when async functions and callbacks call each other endlessly [real]", async () => {
  const source = `
    import { createTask, getRunningLoop, run, sleep } from "tsyncio";
    await run(async () => {
      let stop = false;
      const loop = getRunningLoop();
      const again = () => { if (!stop) loop.callSoon(again); };
      again();
      createTask(async () => { while (!stop) await sleep(0); });
      createTask(async () => { while (!stop) await new Promise((resolve) => { loop.callSoon(resolve); }); });
      await new Promise((resolve) => setTimeout(resolve, 20));
      stop = true;
      console.log("fired");
    });`;

  expect((await runProgram(source)).stdout).toBe("fired\n");
});

test("a delay beyond the platform's longest timer does not fire early [real]", async () => {
  const source = `
    import { createTask, run, sleep } from "tsyncio";
    await run(function* () {
      const ages = createTask(sleep("100d"));
      yield* sleep(30);
      console.log(ages.done());
      ages.cancel();
    });`;

  expect(await runProgram(source)).toMatchObject({ stdout: "false\n", stderr: "", code: 0 });
});

test("AsyncLocalStorage gives a task the store of whoever entered the loop, whoever wakes it [real]", async () => {
  const source = `
    import { AsyncLocalStorage } from "node:async_hooks";
    import { createTask, Event, run, sleep, Future, Lock } from "tsyncio";
    const store = new AsyncLocalStorage();
    const event = new Event();
    const main = store.run("entered", () => run(async () => {
      const gen = createTask(function* () { yield* event.wait(); console.log("gen", store.getStore()); yield* sleep(1); console.log("gen", store.getStore()); });
      const fn = createTask(async () => { await event.wait(); console.log("fn", store.getStore()); await sleep(1); console.log("fn", store.getStore()); });
      await gen; await fn;
      const lock = new Lock();
      await store.run("inner", async () => { await lock.with(async () => { await sleep(1); console.log("body", store.getStore()); }); });
      console.log("main", store.getStore());
    }));
    setTimeout(() => store.run("waker", () => event.set()), 200);
    await main;
    // Two root tasks on the default loop, each with the store of its own maker.
    const gate = new Event();
    const roots = ["a", "b"].map((name) => store.run(name, () => createTask(function* () { yield* gate.wait(); console.log(name, store.getStore()); })));
    await sleep(2);
    store.run("waker", () => gate.set());
    for (const root of roots) await root;`;

  const { stdout, stderr } = await runProgram(source);

  expect(stderr).toBe("");
  expect(stdout.trim().split("\n")).toEqual([
    "gen entered",
    "fn entered",
    "gen entered",
    "fn entered",
    "body inner",
    "main entered",
    "a a",
    "b b",
  ]);
});
