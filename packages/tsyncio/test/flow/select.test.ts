import {
  BoundedSemaphore,
  Channel,
  type Coroutine,
  createTask,
  Event,
  EventLoop,
  Future,
  type Guard,
  isCancelled,
  Lock,
  Queue,
  QueueShutDown,
  RWLock,
  run,
  type Selected,
  Semaphore,
  select,
  shield,
  sleep,
} from "tsyncio";
import { expect, expectTypeOf, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

test("select() tells which came first, and its result, in both spellings", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<string>();
    const putter = createTask(function* () {
      yield* sleep(1);
      yield* queue.put("tea");
      yield* sleep(1);
      yield* queue.put("cake");
    });
    const one = yield* select({ item: queue.get(), late: sleep(5) });
    const two = yield* createTask(async () => await select({ item: queue.get(), late: sleep(5) }));
    const three = yield* select({ item: queue.get(), late: sleep(5, "late") });
    yield* putter;
    return [one, two, three];
  });

  expect(seen).toEqual([
    { name: "item", value: "tea" },
    { name: "item", value: "cake" },
    { name: "late", value: "late" },
  ]);
});

test("select() takes one of all that is ready, the one in front, and leaves the others", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<number>();
    const channel = new Channel<number>(1);
    const seats = new Semaphore(1);
    const lock = new Lock();
    const book = new RWLock();
    const flag = new Event();
    queue.putNowait(1);
    channel.trySend(2);
    flag.set();
    const future = new Future<string>();
    future.setResult("done");
    const all = {
      queue: () => queue.get(),
      channel: () => channel.receive(),
      seat: () => seats.acquire(),
      lock: () => lock.acquire(),
      book: () => book.write(),
      flag: () => flag.wait(),
      future: () => future,
      pass: () => sleep(0),
    };
    const names = Object.keys(all) as (keyof typeof all)[];
    const log: unknown[] = [];
    for (let first = 0; first < names.length; first++) {
      const order = [...names.slice(first), ...names.slice(0, first)];
      const { name, value } = yield* select(Object.fromEntries(order.map((each) => [each, all[each]()])));
      const state = [queue.qsize(), channel.length, seats.value, lock.locked(), book.locked()].map(Number).join("");
      log.push(`${name} ${state}`);
      if (name === "queue") queue.putNowait(1);
      if (name === "channel") channel.trySend(2);
      (value as Partial<Guard> | undefined)?.release?.();
    }
    return log;
  });

  expect(seen).toEqual([
    "queue 01100",
    "channel 10100",
    "seat 11000",
    "lock 11110",
    "book 11101",
    "flag 11100",
    "future 11100",
    // What lets others run once is not ready at once, the next one is.
    "queue 01100",
  ]);
});

test("select() gives back what it was woken for, when something in front is ready in the same turn", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<number>();
    const seats = new BoundedSemaphore(1);
    const lock = new Lock();
    const channel = new Channel<string>();
    const seat = yield* seats.acquire();
    const held = yield* lock.acquire();
    const first = createTask(
      select({ item: queue.get(), seat: seats.acquire(), lock: lock.acquire(), value: channel.receive() }),
    );
    const others = createTask(select({ seat: seats.acquire(), never: new Event().wait() }));
    const locker = createTask(lock.acquire());
    const receiver = createTask(channel.receive());
    yield* sleep(0);
    held.release();
    seat.release();
    queue.putNowait(7);
    const sender = createTask(channel.send("hello"));
    const result = yield* first;
    const passedOn = [(yield* others).name, yield* receiver];
    (yield* locker).release();
    yield* sender;
    return [result, passedOn, queue.qsize(), seats.value, lock.locked()];
  });

  expect(seen).toEqual([{ name: "item", value: 7 }, ["seat", "hello"], 0, 0, false]);
});

test("select() waits once more, when what it was woken for has been snatched", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<number>();
    const chosen = createTask(select({ item: queue.get(), late: sleep(9) }));
    yield* sleep(0);
    queue.putNowait(1);
    const snatched = queue.getNowait();
    yield* sleep(1);
    const still = chosen.done();
    queue.putNowait(2);
    return [snatched, still, yield* chosen];
  });

  expect(seen).toEqual([1, false, { name: "item", value: 2 }]);
});

test("select() of sends sends one value, though several receivers come in the same turn", async () => {
  const seen = await virtually(function* () {
    const channels = [new Channel<string>(), new Channel<string>()] as const;
    const chosen = createTask(select({ one: channels[0].send("first"), two: channels[1].send("second") }));
    yield* sleep(0);
    const got = [channels[1].tryReceive(), channels[0].tryReceive()];
    // It stands in no line any more, though it has not run yet.
    const lines = channels.map(String);
    return [got, (yield* chosen).name, lines];
  });

  const empty = "<Channel capacity=0 length=0>";
  expect(seen).toEqual([[{ value: "second" }, null], "two", [empty, empty]]);
});

test("select() whose value was sent says so, when a future in front is done before it runs", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const future = new Future<string>();
    const chosen = createTask(select({ future, sent: channel.send("value") }));
    yield* sleep(0);
    const got = channel.tryReceive();
    future.setResult("done");
    return [got, (yield* chosen).name];
  });

  expect(seen).toEqual([{ value: "value" }, "sent"]);
});

test("select() whose value was sent says so, when it is cancelled before it runs", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const log: unknown[] = [];
    const inner = () => select({ sent: channel.send("value"), never: new Event().wait() });
    const task = createTask(function* () {
      log.push((yield* select({ inner: inner(), late: sleep(9) })).name);
      yield* sleep(1);
      log.push("not reached");
    });
    yield* sleep(0);
    log.push(channel.tryReceive());
    task.cancel();
    yield* task.join();
    return [log, task.cancelled()];
  });

  expect(seen).toEqual([[{ value: "value" }, "inner"], true]);
});

test("select() that is cancelled sends nothing, in the same turn", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const task = createTask(select({ sent: channel.send("value"), never: new Event().wait() }));
    yield* sleep(0);
    task.cancel();
    const got = channel.tryReceive();
    yield* task.join();
    return [got, task.cancelled(), String(channel)];
  });

  expect(seen).toEqual([null, true, "<Channel capacity=0 length=0>"]);
});

test("select() that was woken and then cancelled hands everything on", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<number>();
    const seats = new BoundedSemaphore(1);
    const seat = yield* seats.acquire();
    const victim = createTask(select({ item: queue.get(), seat: seats.acquire() }));
    const getter = createTask(queue.get());
    const sitter = createTask(seats.acquire());
    yield* sleep(0);
    queue.putNowait(1);
    seat.release();
    victim.cancel();
    const item = yield* getter;
    (yield* sitter).release();
    return [victim.cancelled(), item, seats.value];
  });

  expect(seen).toEqual([true, 1, 1]);
});

test("select() with sleep(0) as the last one does not wait", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const queue = new Queue<number>();
    const poll = () => select({ item: queue.get(), nothing: sleep(0) });
    const empty = yield* poll();
    queue.putNowait(3);
    return [empty.name, (yield* poll()).name, (yield* poll()).name];
  });

  expect(result).toEqual(["nothing", "item", "nothing"]);
  expect(elapsed).toBe(0);
});

test("select({ fair }) takes what is ready by chance, and by default the one in front always", async () => {
  const counts = await virtually(function* () {
    const flags = [new Event(), new Event()] as const;
    for (const flag of flags) flag.set();
    const seen = { true: 0, false: 0 };
    for (const fair of [true, false]) {
      for (let i = 0; i < 100; i++) {
        const { name } = yield* select({ one: flags[0].wait(), two: flags[1].wait() }, { fair });
        if (name === "two") seen[`${fair}`]++;
      }
    }
    return seen;
  });

  expect(counts.false).toBe(0);
  expect(counts.true).toBeGreaterThan(25);
  expect(counts.true).toBeLessThan(75);
});

test("select() makes tasks of functions and coroutines, by the names of the keys, and waits for the end of those that lose", async () => {
  const seen = await virtually(function* () {
    const log: string[] = [];
    const lock = new Lock();
    const slow = function* (): Coroutine<number> {
      try {
        return yield* sleep(50, 1);
      } finally {
        yield* sleep(2);
        log.push("slow is clean");
      }
    };
    const chosen = createTask(select({ slow, held: lock.with(() => sleep(50)), fast: async () => await sleep(1, "fast") }));
    yield* sleep(0);
    const text = chosen.waitingFor;
    const result = yield* chosen;
    return [text, result, log, lock.locked()];
  });

  expect(seen).toEqual([
    "select of slow: Task slow or held: Task held or fast: Task fast",
    { name: "fast", value: "fast" },
    ["slow is clean"],
    false,
  ]);
});

test("select() cancels tasks that lose, and leaves those that are shielded or joined", async () => {
  const seen = await virtually(function* () {
    const lost = createTask(sleep(5, 1));
    const kept = createTask(sleep(5, 2));
    const joined = createTask(sleep(5, 3));
    const { name } = yield* select({ lost, kept: shield(kept), joined: joined.join(), first: sleep(1) });
    return [name, lost.cancelled(), yield* kept, yield* joined];
  });

  expect(seen).toEqual(["first", true, 2, 3]);
});

test("select() throws the error of the first as it is, and has left the others", async () => {
  const seen = await virtually(function* () {
    const queue = new Queue<number>();
    const lock = new Lock();
    const held = yield* lock.acquire();
    const chosen = createTask(select({ lock: lock.acquire(), item: queue.get() }));
    yield* sleep(0);
    queue.shutdown();
    yield* chosen.join();
    held.release();
    return [chosen.exception() instanceof QueueShutDown, String(lock)];
  });

  expect(seen).toEqual([true, "<Lock [unlocked]>"]);
});

test("select() throws a CancelledError, when a future that it waits for is cancelled by somebody else", async () => {
  const seen = await virtually(function* () {
    const future = new Future<number>();
    const chosen = createTask(function* () {
      try {
        yield* select({ future, never: new Event().wait() });
      } catch (error) {
        return isCancelled(error);
      }
    });
    yield* sleep(0);
    future.cancel();
    return yield* chosen;
  });

  expect(seen).toBe(true);
});

test("select() works outside of any task", async () => {
  const queue = new Queue<string>();
  const waiting = Promise.resolve(select({ item: queue.get(), never: new Event().wait() }));
  queue.putNowait("tea");

  expect(await waiting).toEqual({ name: "item", value: "tea" });
});

test("select() in a deadlock is told with all that it waits for, and all that hold it", async () => {
  const host = new VirtualHost();
  const message = await run(
    function* () {
      const lock = new Lock({ name: "db" });
      const queue = new Queue<number>(0, { name: "jobs" });
      const chooser = createTask(
        function* () {
          yield* sleep(1);
          yield* select({ lock: lock.acquire(), item: queue.get() });
        },
        { name: "chooser" },
      );
      using _held = yield* lock.acquire();
      yield* chooser;
    },
    { loop: new EventLoop({ host }), signals: [], name: "main" },
  ).catch((error: Error) => error.message);

  expect(message).toContain("chooser waits for select of lock: Lock 'db' held by main or item: Queue 'jobs'.get (empty)");
  expect(message).toContain("cycle: ");
});

test("select() refuses what has no names, what is empty, and what is no job, at once", async () => {
  await virtually(function* () {
    expect(() => select({})).toThrow("Expected `jobs` of select() to hold at least one, got none; it would wait for ever");
    expect(() => select([sleep(1)] as never)).toThrow(
      "Expected `jobs` of select() to be an object of named jobs, got an array of 1; write select({ name: job, … }), or race([…]) for a list",
    );
    for (const wrong of [null, undefined, 5, new Map(), sleep(1), Promise.resolve(), new Future()]) {
      expect(() => select(wrong as never)).toThrow(TypeError);
    }
    expect(() => select({ a: undefined as never })).toThrow(TypeError);
    const twice = sleep(1);
    expect(() => select({ a: twice, b: twice })).toThrow(
      "Cannot await sleep again: it is for one use; call its function again",
    );
    expect(() => select({ a: sleep(1) }, null as never)).toThrow(
      "Expected `options` to be an object such as { fair: true }, got null",
    );
    expect(() => select({ a: sleep(1) }, { fair: "yes" as never })).toThrow("Expected `fair` to be true or false");
    const used = select({ a: sleep(0) });
    yield* used;
    expect(() => select({ used })).toThrow("Cannot await select again");
  });
});

test("select() has a type that a switch narrows", () => {
  function* typed(queue: Queue<Date>): Coroutine<void> {
    const first = yield* select({ item: queue.get(), text: async () => "x", late: sleep(1, 5) });
    type Expected =
      | { readonly name: "item"; readonly value: Date }
      | { readonly name: "text"; readonly value: string }
      | { readonly name: "late"; readonly value: number };
    expectTypeOf(first).toEqualTypeOf<Expected>();
    switch (first.name) {
      case "item":
        expectTypeOf(first.value).toEqualTypeOf<Date>();
        break;
      case "text":
        expectTypeOf(first.value).toEqualTypeOf<string>();
        break;
      default:
        expectTypeOf(first.name).toEqualTypeOf<"late">();
    }
    expectTypeOf<Selected<{ a: Promise<1> }>>().toEqualTypeOf<{ readonly name: "a"; readonly value: 1 }>();
    // @ts-expect-error a list has no names
    select([queue.get()]);
  }
  expect(typed).toBeDefined();
});
