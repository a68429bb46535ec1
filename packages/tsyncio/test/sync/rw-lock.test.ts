import {
  type Coroutine,
  createTask,
  currentTask,
  EventLoop,
  type Guard,
  gather,
  isCancelled,
  type RuntimeError,
  RWLock,
  run,
  sleep,
  type Task,
  type WriteGuard,
} from "tsyncio";
import { runTest } from "tsyncio/testing";
import { expect, test } from "vitest";
import { runVirtual, VirtualHost, virtually } from "../support/virtual.ts";

/** Tasks that enter for a millisecond; a name that begins with r reads. Each notes when it comes in. */
function visitor(lock: RWLock, name: string, log: string[], duration = 1): Task<void> {
  return createTask(
    function* () {
      using _guard = yield* (name.startsWith("r") ? lock.read() : lock.write()) as ReturnType<RWLock["read"]>;
      log.push(name);
      yield* sleep(duration);
    },
    { name },
  );
}

function* codeOf(entry: () => Coroutine<unknown>): Coroutine<unknown> {
  try {
    yield* entry();
    return "entered";
  } catch (error) {
    if (isCancelled(error)) throw error;
    return (error as RuntimeError).code;
  }
}

test("RWLock lets readers in together, and a writer alone", async () => {
  const seen = await virtually(function* () {
    const lock = new RWLock();
    const states: string[] = [];
    function* look(operation: () => ReturnType<RWLock["read"]>): Coroutine<void> {
      using _guard = yield* operation();
      yield* sleep(0);
      states.push(String(lock));
    }
    yield* gather(
      look(() => lock.read()),
      look(() => lock.read()),
      look(() => lock.write()),
    );
    return [...states, String(lock), lock.locked()];
  });

  expect(seen).toEqual([
    "<RWLock [read:2, waiters:1]>",
    "<RWLock [read:1, waiters:1]>",
    "<RWLock [written]>",
    "<RWLock [unlocked]>",
    false,
  ]);
});

test("RWLock.read() and write() serve in order of arrival, and readers side by side enter together", async () => {
  const { result, elapsed } = await runVirtual(function* () {
    const lock = new RWLock();
    const log: string[] = [];
    yield* gather(["w1", "r2", "r3", "w4", "r5"].map((name) => visitor(lock, name, log)));
    return log;
  });

  expect(result).toEqual(["w1", "r2", "r3", "w4", "r5"]);
  expect(elapsed).toBe(4);
});

test("RWLock.read() waits behind a writer that waits, though others read", async () => {
  const log = await virtually(function* () {
    const lock = new RWLock();
    const entered: string[] = [];
    const visits = ["r1", "w2", "r3"].map((name) => visitor(lock, name, entered));
    yield* sleep(0);
    yield* sleep(0);
    const before = [...entered];
    yield* gather(visits);
    return [before, entered];
  });

  expect(log).toEqual([["r1"], ["r1", "w2", "r3"]]);
});

test('RWLock({ prefer: "writers" }) lets writers go before readers that came earlier', async () => {
  const log = await virtually(function* () {
    const lock = new RWLock({ prefer: "writers" });
    const entered: string[] = [];
    yield* gather(["w1", "r2", "w3", "r4", "w5"].map((name) => visitor(lock, name, entered)));
    return entered;
  });

  expect(log).toEqual(["w1", "w3", "w5", "r2", "r4"]);
});

test('RWLock({ prefer: "writers" }) lets at most 16 writers that came later pass a reader, however many there are', async () => {
  const log = await virtually(function* () {
    const lock = new RWLock({ prefer: "writers" });
    const entered: string[] = [];
    const visits = [visitor(lock, "w0", entered)];
    yield* sleep(0);
    for (const name of ["w-1", "r1", "r2"]) visits.push(visitor(lock, name, entered));
    for (let i = 1; i <= 20; i++) visits.push(visitor(lock, `w${i}`, entered));
    visits.push(visitor(lock, "r3", entered));
    yield* gather(visits);
    return entered;
  });

  // Two writers came before the readers and sixteen passed them; r3 came behind all.
  expect(log.indexOf("r1")).toBe(18);
  expect(log.slice(18, 20)).toEqual(["r1", "r2"]);
  expect(log.slice(20)).toEqual(["w17", "w18", "w19", "w20", "r3"]);
});

for (const [what, first, second] of [
  ["write while it reads (an upgrade)", "read", "write"],
  ["read while it writes", "write", "read"],
  ["write while it writes", "write", "write"],
] as const) {
  test(`RWLock refuses a task to ${what}, at once, in both spellings`, async () => {
    const codes = await virtually(function* () {
      const lock = new RWLock();
      const guarded = yield* createTask(function* () {
        using _guard = (yield* lock[first]()) as Guard;
        return yield* codeOf(() => lock[second]() as unknown as Coroutine<unknown>);
      });
      const awaited = yield* createTask(async () => {
        using _guard = (await lock[first]()) as Guard;
        return await Promise.resolve(lock[second]()).catch((error: RuntimeError) => error.code);
      });
      const nested = yield* createTask(async () => {
        const body = async (): Promise<unknown> => Promise.resolve(lock[second]()).catch((error: RuntimeError) => error.code);
        return first === "read" ? lock.withRead(body) : lock.withWrite(body);
      });
      return [guarded, awaited, nested, String(lock)];
    });

    expect(codes).toEqual(["SELF_DEADLOCK", "SELF_DEADLOCK", "SELF_DEADLOCK", "<RWLock [unlocked]>"]);
  });
}

test("RWLock tells what it refuses, who holds it, and what to do", async () => {
  const message = await virtually(function* () {
    const lock = new RWLock({ name: "db" });
    using _guard = yield* lock.read();
    return yield* createTask(
      function* () {
        using _mine = yield* lock.read();
        try {
          yield* lock.write();
        } catch (error) {
          return (error as Error).message;
        }
      },
      { name: "upgrader" },
    );
  });

  expect(message).toBe(
    "Cannot write RWLock 'db': \"upgrader\" reads, and would wait for itself (an upgrade); " +
      "release the guard for reading first and look again, or write from the start",
  );
});

test("RWLock.read() lets a task that reads in at once, though a writer waits that waits for it", async () => {
  const log = await virtually(function* () {
    const lock = new RWLock();
    const entered: string[] = [];
    const outer = yield* lock.read();
    const writer = visitor(lock, "w", entered);
    yield* sleep(0);
    const inner = yield* lock.read();
    const stranger = visitor(lock, "r", entered);
    yield* sleep(0);
    entered.push(`${lock.readerCount} in, ${lock.waiting} wait`);
    outer.release();
    inner.release();
    yield* gather(writer, stranger);
    return entered;
  });

  expect(log).toEqual(["2 in, 2 wait", "w", "r"]);
});

test("RWLock.withRead() and withWrite() side by side in one async function wait for each other, and are not refused", async () => {
  const log = await virtually(async () => {
    const lock = new RWLock();
    const entered: string[] = [];
    const enter = (name: string) => async () => {
      entered.push(name);
      await sleep(1);
    };
    await Promise.all([
      lock.withRead(enter("r1")),
      lock.withWrite(enter("w2")),
      lock.withWrite(enter("w3")),
      lock.withRead(enter("r4")),
    ]);
    return entered;
  });

  expect(log).toEqual(["r1", "w2", "w3", "r4"]);
});

test("RWLock.with() writes, and its body gets the guard", async () => {
  const seen = await virtually(function* () {
    const lock = new RWLock();
    return yield* lock.with(function* (guard) {
      const before = [lock.owner === currentTask(), lock.readerCount];
      guard.downgrade();
      return [...before, lock.owner, lock.readerCount, yield* sleep(1, "body")];
    });
  });

  expect(seen).toEqual([true, 0, null, 1, "body"]);
});

test("guard.downgrade() lets readers in that wait in front, and no writer in between", async () => {
  const log = await virtually(function* () {
    const lock = new RWLock();
    const entered: string[] = [];
    const guard = yield* lock.write();
    const visits = ["r1", "w2", "r3"].map((name) => visitor(lock, name, entered));
    yield* sleep(0);
    guard.downgrade();
    yield* sleep(0);
    entered.push(`${lock.readerCount} read: ${lock.readers.map((task) => task.name)}`);
    guard.release();
    guard.release();
    yield* gather(visits);
    return entered;
  });

  expect(log).toEqual(["r1", "2 read: Task-1,r1", "w2", "r3"]);
});

test("guard.downgrade() is refused, when the guard was downgraded or released before", async () => {
  const codes = await virtually(function* () {
    const lock = new RWLock();
    const guard = yield* lock.write();
    const attempt = (each: WriteGuard): string => {
      try {
        each.downgrade();
        return "done";
      } catch (error) {
        return (error as RuntimeError).code;
      }
    };
    const first = [attempt(guard), attempt(guard)];
    guard.release();
    return [...first, attempt(guard), String(lock)];
  });

  expect(codes).toEqual(["done", "NOT_HELD", "NOT_HELD", "<RWLock [unlocked]>"]);
});

test("RWLock.write() hands its turn on, when granted and then cancelled", async () => {
  const log = await virtually(function* () {
    const lock = new RWLock();
    const entered: string[] = [];
    const guard = yield* lock.write();
    const victim = visitor(lock, "w1", entered);
    const next = visitor(lock, "w2", entered);
    yield* sleep(0);
    guard.release();
    const owner = lock.owner?.name;
    victim.cancel();
    yield* next;
    return [owner, victim.cancelled(), entered];
  });

  expect(log).toEqual(["w1", true, ["w2"]]);
});

test("RWLock lets the readers behind a writer in at once, when that is cancelled while it waits", async () => {
  const seen = await virtually(function* () {
    const lock = new RWLock();
    const guard = yield* lock.read();
    const writer = visitor(lock, "w1", []);
    const readers = [visitor(lock, "r2", []), visitor(lock, "r3", [])];
    yield* sleep(0);
    writer.cancel();
    const count = lock.readerCount;
    guard.release();
    yield* gather(readers);
    return [count, writer.cancelled(), String(lock)];
  });

  expect(seen).toEqual([3, true, "<RWLock [unlocked]>"]);
});

test("RWLock.tryRead() and tryWrite() give null, when they would have to wait or be refused", async () => {
  const seen = await virtually(function* () {
    const lock = new RWLock();
    const reader = lock.tryRead() as Guard;
    const upgrade = lock.tryWrite();
    const waiting = visitor(lock, "w", []);
    yield* sleep(0);
    const again = lock.tryRead() as Guard;
    const stranger = yield* createTask(() => lock.tryRead());
    again.release();
    reader.release();
    yield* waiting;
    const writer = lock.tryWrite();
    const others = [lock.tryRead(), lock.tryWrite()];
    writer?.release();
    return [upgrade, stranger, writer !== null, ...others, lock.locked()];
  });

  expect(seen).toEqual([null, null, true, null, null, false]);
});

test("RWLock serves whoever awaits it outside of any task, and does not take them for one", async () => {
  const lock = new RWLock();

  const reader = await lock.read();
  const another = await lock.read();
  const writing = Promise.resolve(lock.write());
  const state = [lock.readerCount, lock.readers.length, lock.describe()];
  reader.release();
  another.release();
  const writer = await writing;

  expect(state).toEqual([2, 0, "RWLock read outside of any task"]);
  expect(lock.describe()).toBe("RWLock written by somebody outside of any task");
  writer.release();
  expect(lock.locked()).toBe(false);
});

test("RWLock names those that hold it in the report of a deadlock, and the ring", async () => {
  const host = new VirtualHost();
  const message = await run(
    function* () {
      const lock = new RWLock({ name: "db" });
      const other = new RWLock({ name: "log" });
      const cross = (name: string, mine: RWLock, theirs: RWLock): Task<void> =>
        createTask(
          function* () {
            using _mine = yield* mine.read();
            yield* sleep(1);
            using _theirs = yield* theirs.write();
          },
          { name },
        );
      yield* gather(cross("A", lock, other), cross("B", other, lock));
    },
    { loop: new EventLoop({ host }), signals: [] },
  ).catch((error: Error) => error.message);

  expect(message).toContain("A waits for RWLock 'log'.write (read by B)");
  expect(message).toContain("B waits for RWLock 'db'.write (read by A)");
  expect(message).toMatch(/cycle: (A → B → A|B → A → B)/);
});

test("RWLock describes whom a reader waits for", async () => {
  const texts = await virtually(function* () {
    const lock = new RWLock();
    const guards = yield* gather(Array.from({ length: 5 }, (_, i) => createTask(lock.read(), { name: `r${i}` })));
    const writer = createTask(lock.write());
    const reader = createTask(lock.read());
    yield* sleep(0);
    const seen = [writer.waitingFor, reader.waitingFor];
    writer.cancel();
    for (const guard of guards) guard.release();
    (yield* reader).release();
    return seen;
  });

  expect(texts).toEqual([
    "RWLock.write (read by r0, r1, r2 and 2 more)",
    "RWLock.read (read by r0, r1, r2 and 2 more, 1 to write)",
  ]);
});

test("RWLock refuses options that it does not know", () => {
  expect(() => new RWLock({ prefer: "readers" as "fair" })).toThrow(
    'Expected `prefer` to be "fair" or "writers", got "readers" (string)',
  );
  expect(() => new RWLock("db" as never)).toThrow(TypeError);
  expect(() => new RWLock().withRead(5 as never)).toThrow(TypeError);
  expect(() => new RWLock().withWrite(undefined as never)).toThrow(TypeError);
  expect(() => new RWLock().with(null as never)).toThrow(TypeError);
});

test("RWLock belongs to one loop at a time", async () => {
  const lock = new RWLock();
  await runTest(function* () {
    (yield* lock.read()).release();
  });

  await runTest(function* () {
    (yield* lock.write()).release();
  });

  expect(lock.locked()).toBe(false);
});
