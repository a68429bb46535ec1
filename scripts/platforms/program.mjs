// One portable program, in both spellings. It prints a line per fact; every platform must print those of expected.txt.
// Started as `<runtime> program.mjs <URL of dist/node/index.js>`, so that any build of the library can be tried.

const argument = globalThis.Deno === undefined ? process.argv[2] : Deno.args[0];
const {
  allTasks,
  asCompleted,
  Condition,
  ContextVar,
  coroutine,
  createTask,
  currentTask,
  DeadlockError,
  ExceptionGroup,
  Event,
  gather,
  isCancelled,
  Lock,
  moveOnAfter,
  PriorityQueue,
  Queue,
  QueueShutDown,
  run,
  Semaphore,
  shield,
  sleep,
  taskGroup,
  TimeoutError,
  timeout,
  wait,
  waitFor,
} = await import(argument);

const say = (...words) => console.log(words.join(" "));

// ── function* ────────────────────────────────────────────────────────────────────────────────────────────────────────

function* inTurns() {
  const order = [];
  function* three(name) {
    for (let turn = 1; turn <= 3; turn++) {
      order.push(name + turn);
      yield* sleep(0);
    }
  }
  yield* gather(three("a"), three("b"), three("c"));
  say("turns:", ...order);
}

function* timeouts() {
  try {
    yield* timeout("5ms", function* () {
      try {
        yield* sleep("1h");
      } finally {
        say("timeout: cleaned up");
      }
    });
  } catch (error) {
    say("timeout:", error.name, error instanceof TimeoutError);
  }
  try {
    yield* waitFor(sleep("1h"), 1);
  } catch (error) {
    say("waitFor:", error.name);
  }
  const { timedOut } = yield* moveOnAfter(1, function* () {
    yield* sleep("1h");
  });
  say("moveOnAfter:", timedOut);
}

function* groups() {
  try {
    yield* taskGroup(function* (group) {
      group.createTask(function* () {
        try {
          yield* sleep("1h");
        } catch (error) {
          say("group: sibling", isCancelled(error) ? "cancelled" : "lost");
          throw error;
        }
      });
      group.createTask(function* () {
        yield* sleep(1);
        throw new RangeError("boom");
      });
      yield* sleep("1h");
    });
  } catch (error) {
    say("group:", error instanceof ExceptionGroup, error.errors.map(String).join());
  }
}

function* locks() {
  const lock = new Lock();
  const seats = new Semaphore(2);
  let inside = 0;
  let most = 0;
  const order = [];
  function* visit(name) {
    yield* lock.with(function* () {
      yield* sleep(0);
      order.push(name);
    });
    yield* seats.with(function* () {
      most = Math.max(most, ++inside);
      yield* sleep(1);
      inside--;
    });
  }
  yield* gather(visit("a"), visit("b"), visit("c"), visit("d"));
  say("lock:", ...order, "semaphore:", most);
  const condition = new Condition();
  let ready = false;
  const waiter = createTask(function* () {
    return yield* condition.with(function* () {
      yield* condition.waitFor(() => ready);
      return "notified";
    });
  });
  yield* sleep(0);
  yield* condition.with(() => {
    ready = true;
    condition.notifyAll();
  });
  say("condition:", yield* waiter);
}

function* queues() {
  const queue = new Queue(1);
  const producer = createTask(function* () {
    for (const item of [1, 2, 3]) yield* queue.put(item);
    queue.shutdown();
  });
  const items = [];
  try {
    for (;;) items.push(yield* queue.get());
  } catch (error) {
    say("queue:", ...items, error instanceof QueueShutDown);
  }
  yield* producer;
  const sorted = new PriorityQueue();
  for (const item of [3, 1, 2]) sorted.putNowait(item);
  say("priority queue:", yield* sorted.get(), yield* sorted.get(), yield* sorted.get());
}

function* cancellations() {
  const task = createTask(
    function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep(1);
        say("cancel: cleaned up");
      }
    },
    { name: "sleeper" },
  );
  yield* sleep(0);
  task.cancel("enough");
  try {
    yield* task;
  } catch (error) {
    say("cancel:", error.name, error.message, task.cancelled());
  }
  const inner = createTask(sleep(5, "kept"));
  const outer = createTask(function* () {
    return yield* shield(inner);
  });
  yield* sleep(0);
  outer.cancel();
  yield* outer.join();
  say("shield:", outer.cancelled(), yield* inner);
}

function* collections() {
  const names = [];
  for (const next of asCompleted([sleep(20, "slow"), sleep(1, "fast")])) names.push(yield* next);
  say("asCompleted:", ...names);
  const { done, pending } = yield* wait([sleep(1), sleep("1h")], { returnWhen: "FIRST_COMPLETED" });
  for (const task of pending) task.cancel();
  say("wait:", done.size, pending.size);
  const user = new ContextVar("user", { default: "nobody" });
  user.set("ada");
  const seen = yield* createTask(function* () {
    const before = user.get();
    user.set("grace");
    yield* sleep(0);
    return `${before} ${user.get()}`;
  });
  say("context:", seen, user.get());
  const deep = coroutine(function* (depth) {
    if (depth === 0) return 0;
    return 1 + (yield* deep(depth - 1));
  });
  say("depth:", yield* deep(1000));
}

function* functionStar() {
  yield* inTurns();
  yield* timeouts();
  yield* groups();
  yield* locks();
  yield* queues();
  yield* cancellations();
  yield* collections();
  say("tasks:", allTasks().size, currentTask().name);
  return "done";
}

// ── async ────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function asyncStyle() {
  try {
    await timeout("5ms", async () => {
      try {
        await sleep("1h");
      } finally {
        say("timeout: cleaned up");
      }
    });
  } catch (error) {
    say("timeout:", error.name);
  }
  try {
    await taskGroup(async (group) => {
      group.createTask(async () => {
        try {
          await sleep(1);
          await sleep("1h");
        } catch (error) {
          say("group: sibling", isCancelled(error) ? "cancelled" : "lost");
          throw error;
        }
      });
      group.createTask(async () => {
        await sleep(10);
        throw new RangeError("boom");
      });
    });
  } catch (error) {
    say("group:", error.errors.map(String).join());
  }
  const lock = new Lock();
  const order = [];
  const visit = async (name) => {
    await lock.with(async () => {
      await sleep(1);
      order.push(name);
    });
  };
  await gather(
    () => visit("a"),
    () => visit("b"),
    () => visit("c"),
  );
  say("lock:", ...order);
  const queue = new Queue(1);
  const event = new Event();
  const consumer = createTask(async () => {
    const items = [];
    for await (const item of queue) items.push(item);
    event.set();
    return items.join(" ");
  });
  for (const item of [1, 2, 3]) await queue.put(item);
  queue.shutdown();
  await event.wait();
  say("queue:", await consumer);
  const task = createTask(
    async () => {
      await sleep(1);
      try {
        await sleep("1h");
      } finally {
        say("cancel: cleaned up in", currentTask()?.name);
      }
    },
    { name: "sleeper" },
  );
  await sleep(10);
  task.cancel("enough");
  try {
    await task;
  } catch (error) {
    say("cancel:", error.name, error.message, task.cancelled());
  }
  const signal = createTask(async () => {
    const { signal } = currentTask();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return "aborted";
  });
  await sleep(1);
  signal.cancel();
  await signal.join();
  say("signal: seen", signal.done());
  say("tasks:", currentTask().name);
  return "done";
}

say("== function*");
say("result:", await run(() => functionStar(), { name: "main" }));
say("== async");
say("result:", await run(asyncStyle, { name: "main" }));

say("== outside of any task");
say("await:", await sleep(1, "slept"));
const lost = createTask(function* () {
  yield* sleep(1);
  throw new Error("seen");
});
await lost.join();
say("join:", lost.exception().message);

say("== schedules");
const { cancelEverywhere, explore, replay, runTest } = await import(new URL("./testing.js", argument).href);
say("virtual time:", await runTest(async (t) => sleep("1h", "slept").then((text) => `${text} until ${t.now()}`)));
const { readFile } = await import("node:fs/promises");
const readAt = runTest(async (t) => {
  const sleeper = createTask(sleep("1h"));
  await readFile(new URL(import.meta.url));
  const at = t.now();
  await sleeper;
  return at;
});
say("real I/O ends at", await readAt);
// What is found, and in which run, depends on every single choice: a platform that decides one thing otherwise shows it here.
const scenarios = {
  "function*": function* () {
    const events = [];
    function* work(name) {
      for (let i = 0; i < 3; i++) {
        yield* sleep(i % 2);
        events.push(name);
      }
    }
    yield* gather(work("a"), work("b"), work("c"));
    if (/aa.*bb.*cc$/.test(events.join(""))) throw new Error("met");
  },
  async: async () => {
    const lock = new Lock();
    const events = [];
    const work = async (name) => {
      for (let i = 0; i < 3; i++) {
        await lock.with(async () => {
          events.push(name);
          await sleep(0);
        });
      }
    };
    await gather(
      () => work("a"),
      () => work("b"),
      () => work("c"),
    );
    if (/aa.*bb.*cc$/.test(events.join(""))) throw new Error("met");
  },
};
for (const [spelling, scenario] of Object.entries(scenarios)) {
  for (const strategy of ["portfolio", "random", "pct:3"]) {
    const error = await explore(scenario, { strategy, seed: 3, runs: 5000 }).catch((error) => error);
    say(`explore ${strategy}, ${spelling}:`, error.runs, error.code ?? `passes ${error.steps} steps`, error.schedule ?? "");
    if (error.schedule === undefined) continue;
    const again = await replay(scenario, error.schedule).catch((error) => error);
    say("replay:", again.cause.message, again.steps.flatMap(({ who, outcome }) => (outcome === "" ? [] : [who])).join(" "));
  }
  const sweep = await cancelEverywhere(scenario).catch((error) => error);
  say(`cancelEverywhere, ${spelling}:`, sweep.runs, sweep.cancelled);
}

say("== the outside world");
const entry = (name) => import(new URL(`./${name}.js`, argument).href);
const { openConnection, openDatagram, startServer } = await entry("net");
const { createSubprocessExec, PIPE, runProcess } = await entry("subprocess");
const { fromPromise, once, readLines } = await entry("interop");
await run(function* () {
  const server = yield* startServer(
    function* ({ reader, writer }) {
      for (;;) {
        const line = yield* reader.readline();
        if (line.length === 0) break;
        yield* writer.send(line);
      }
    },
    "127.0.0.1",
    0,
  );
  const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
  yield* writer.send("echo\n");
  say("net:", String(yield* reader.readline()).trim());
  const reading = createTask(reader.readline());
  yield* sleep(5);
  yield* reading.cancelAndWait();
  writer.writeEof();
  say("half-closed:", (yield* reader.read()).length, reading.cancelled());
  writer.close();
  yield* writer.waitClosed();
  yield* server.shutdown({ grace: 0 });
  const udp = yield* openDatagram({ local: { host: "127.0.0.1", port: 0 } });
  yield* udp.send("datagram", udp.address);
  say("udp:", String((yield* udp.receive()).data));
  udp.close();
  const cat = yield* createSubprocessExec("cat", [], { stdin: PIPE, stdout: PIPE });
  const { stdout } = yield* cat.communicate("through a pipe");
  say("subprocess:", String(stdout), cat.returncode);
  say("killed:", (yield* runProcess("sh", ["-c", "kill -9 $$"], { check: false })).signal);
  say("interop:", yield* fromPromise((signal) => Promise.resolve(signal.aborted)));
  const target = new EventTarget();
  const event = createTask(once(target, "ready"));
  yield* sleep(0);
  target.dispatchEvent(new globalThis.Event("ready"));
  say("once:", (yield* event)[0].type);
  const lines = readLines(new URL(import.meta.url));
  say("lines:", (yield* lines.next()).done);
  yield* lines.close();
});

say("== a program that cannot go on");
// Not awaited: while a module awaits at its top level, Bun and Deno never tell that nothing is left to do.
run(new Event().wait(), { name: "main" }).catch((error) => {
  say("deadlock:", error instanceof DeadlockError);
});
