import { createTask, gather, run, sleep } from "tsyncio";
import { signals, waitForSignal } from "tsyncio/interop";
import { expect, test } from "vitest";
import { virtually } from "../support/virtual.ts";
import { runInterop } from "./program.ts";

test("waitForSignal() ends with the signal that came, and keeps the process alive until then [real]", async () => {
  const source = `
    import { run } from "tsyncio";
    import { waitForSignal } from "tsyncio/interop";
    await run(function* () {
      console.log("up");
      console.log(yield* waitForSignal(["SIGHUP", "SIGTERM"]));
      console.log(process.listenerCount("SIGHUP"), process.listenerCount("SIGTERM"));
    });`;

  const ended = await runInterop(source, (line, kill) => {
    if (line === "up") setTimeout(() => kill("SIGTERM"), 50);
  });

  expect(ended).toEqual({ code: 0, signal: null, stdout: "up\nSIGTERM\n0 0\n", stderr: "" });
});

test("waitForSignal() gives the signal back its effect, when it has ended [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    import { waitForSignal } from "tsyncio/interop";
    await run(async () => {
      setTimeout(() => console.log("up"), 1);
      console.log(await waitForSignal("SIGTERM"));
      await sleep("1h");
    });`;

  const ended = await runInterop(source, (line, kill) => (line === "up" || line === "SIGTERM") && kill("SIGTERM"));

  expect(ended).toMatchObject({ code: null, signal: "SIGTERM", stdout: "up\nSIGTERM\n" });
});

test("signals() gives signal after signal while others work, and ends with break [real]", async () => {
  const source = `
    import { createTask, run, sleep } from "tsyncio";
    import { signals } from "tsyncio/interop";
    await run(async () => {
      const names = signals(["SIGHUP", "SIGTERM"]);
      createTask(function* () { for (;;) yield* sleep(1); });
      console.log("up");
      for await (const name of names) {
        console.log(name);
        if (name === "SIGTERM") break;
      }
      console.log(process.listenerCount("SIGHUP") + process.listenerCount("SIGTERM"));
    });`;
  const next: Record<string, NodeJS.Signals> = { up: "SIGHUP", SIGHUP: "SIGTERM" };

  const ended = await runInterop(source, (line, kill) => next[line] !== undefined && kill(next[line]));

  expect(ended).toEqual({ code: 0, signal: null, stdout: "up\nSIGHUP\nSIGTERM\n0\n", stderr: "" });
});

test("waitForSignal() leaves run()'s own SIGINT handling as it is [real]", async () => {
  const source = `
    import { run, sleep } from "tsyncio";
    import { waitForSignal } from "tsyncio/interop";
    await run(async () => {
      setTimeout(() => console.log("up"), 1);
      console.log(await waitForSignal("SIGINT"));
      setTimeout(() => console.log("again"), 1);
    }, { signals: [] });
    try {
      await run(function* () {
        const before = process.listenerCount("SIGINT");
        console.log("ready");
        yield* waitForSignal("SIGTERM");
        console.log(before, process.listenerCount("SIGINT"));
        yield* sleep("1h");
      });
    } catch (error) { console.log(error.name, process.listenerCount("SIGINT")); }`;
  const next: Record<string, NodeJS.Signals> = { up: "SIGINT", ready: "SIGTERM", "1 1": "SIGINT" };

  const ended = await runInterop(source, (line, kill) => {
    if (next[line] !== undefined) setTimeout(() => kill(next[line] as NodeJS.Signals), 50);
  });

  expect(ended.stdout.replace("again\n", "")).toBe("up\nSIGINT\nready\n1 1\nKeyboardInterrupt 0\n");
});

test("waitForSignal() and signals() share one handler of the process, which goes with the last of them", async () => {
  const before = process.listenerCount("SIGHUP");

  await virtually(function* () {
    const tasks = Array.from({ length: 50 }, () => createTask(waitForSignal("SIGHUP")));
    const listening = signals("SIGHUP");
    yield* sleep(0);
    expect(process.listenerCount("SIGHUP")).toBe(before + 1);
    yield* (tasks.pop() as (typeof tasks)[0]).cancelAndWait();
    process.emit("SIGHUP");
    process.emit("SIGHUP");
    expect(new Set(yield* gather(tasks))).toEqual(new Set(["SIGHUP"]));
    expect((yield* listening.next()).value).toBe("SIGHUP");
    const pending = createTask(listening.next());
    yield* sleep(0);
    expect(pending.done()).toBe(false);
    yield* listening.close();
    expect((yield* pending).done).toBe(true);
  });

  expect(process.listenerCount("SIGHUP")).toBe(before);
});

test("signals() hands its turn on, when the consumer that was woken is cancelled", async () => {
  await virtually(async () => {
    const listening = signals("SIGHUP");
    const [first, second] = [createTask(listening.next()), createTask(listening.next())];
    await sleep(0);
    process.emit("SIGHUP");
    first.cancel();
    expect((await second).value).toBe("SIGHUP");
    await listening.close();
  });
});

test("signals() refuses what cannot be handled, at once", () => {
  expect(() => signals("SIGKILL")).toThrow(RangeError);
  expect(() => signals("SIGNOTHING" as never)).toThrow(RangeError);
  expect(() => signals([])).toThrow(RangeError);
  expect(() => waitForSignal(5 as never)).toThrow(TypeError);
});

test("signals() refuses a worker thread, which gets none [real]", async () => {
  const source = `
    import { Worker, isMainThread } from "node:worker_threads";
    import { signals } from "tsyncio/interop";
    if (isMainThread) new Worker(new URL(import.meta.url));
    else try { signals("SIGHUP"); } catch (error) { console.log(error.code); }`;

  expect((await runInterop(source)).stdout).toBe("NO_SIGNALS\n");
});

test("anySignal() keeps nothing in a signal that lives on, unless somebody listens [real]", async () => {
  const source = `
    import { getEventListeners } from "node:events";
    import { anySignal } from "tsyncio/interop";
    const stop = new AbortController();
    const quiet = new AbortController();
    let heard = 0;
    const weak = [];
    (() => {
      for (let n = 0; n < 100; n++) anySignal([quiet.signal]);
      for (let n = 0; n < 2000; n++) {
        const signal = anySignal([stop.signal, new AbortController().signal]);
        if (n < 10) signal.addEventListener("abort", () => heard++);
        else if (n < 20) { const f = () => heard++; signal.addEventListener("abort", f); signal.removeEventListener("abort", f); }
        weak.push(new WeakRef(signal));
      }
    })();
    for (let i = 0; i < 20; i++) { await new Promise((resolve) => setTimeout(resolve, 5)); gc(); }
    console.log(weak.filter((each) => each.deref() !== undefined).length, getEventListeners(stop.signal, "abort").length, getEventListeners(quiet.signal, "abort").length);
    stop.abort();
    console.log(heard, getEventListeners(stop.signal, "abort").length);`;

  expect(await runInterop(source)).toMatchObject({ stdout: "10 1 0\n10 0\n", stderr: "" });
});

test("run() ends by itself, when sources have been closed [real]", async () => {
  const seen = await run(async () => {
    const listening = signals("SIGHUP");
    await listening.close();
    return (await listening.next()).done;
  });

  expect(seen).toBe(true);
});
