import {
  type Coroutine,
  createTask,
  Event,
  EventLoop,
  gather,
  getRunningLoop,
  Runner,
  sleep,
  TimeoutError,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { cancelEverywhere, pause } from "../support/cancel-everywhere.ts";
import { turn, VirtualHost, virtually } from "../support/virtual.ts";

function* waiting(event: Event, name: string, log: string[]): Coroutine<boolean> {
  const result = yield* event.wait();
  log.push(name);
  return result;
}

test("Event is not set at first, set after set(), not set after clear()", () => {
  const event = new Event();
  const states = [event.isSet()];

  event.set();
  states.push(event.isSet());
  event.set();
  states.push(event.isSet());
  event.clear();
  states.push(event.isSet());
  event.clear();
  states.push(event.isSet());

  expect(states).toEqual([false, true, true, false, false]);
});

test("Event.wait() returns true at once, when the event is set", async () => {
  await virtually(function* () {
    const event = new Event();
    event.set();

    const before = turn(getRunningLoop());
    const result = yield* event.wait();

    expect([result, turn(getRunningLoop()) - before]).toEqual([true, 0]);
  });
});

test("Event.set() wakes all waiters in order of arrival, in the next turn", async () => {
  await virtually(function* () {
    const event = new Event();
    const log: string[] = [];
    const tasks = ["A", "B", "C"].map((name) => createTask(waiting(event, name, log)));
    yield* sleep(0);
    expect(log).toEqual([]);

    event.set();
    const before = [...log];
    yield* sleep(0);

    expect([before, log]).toEqual([[], ["A", "B", "C"]]);
    expect(yield* gather(tasks)).toEqual([true, true, true]);
  });
});

test("Event.clear() does not put back to sleep whom set() has woken", async () => {
  await virtually(function* () {
    const event = new Event();
    const log: string[] = [];
    const woken = createTask(waiting(event, "woken", log));
    yield* sleep(0);

    event.set();
    event.clear();
    const late = createTask(waiting(event, "late", log));
    yield* sleep(10);

    expect(log).toEqual(["woken"]);
    expect([woken.done(), late.done(), event.isSet()]).toEqual([true, false, false]);
    late.cancel();
  });
});

test("Event.set() wakes whoever came after a clear()", async () => {
  await virtually(function* () {
    const event = new Event();
    const log: string[] = [];
    event.set();
    event.clear();
    const task = createTask(waiting(event, "A", log));
    yield* sleep(0);

    event.set();
    yield* task;

    expect(log).toEqual(["A"]);
  });
});

test("Event.wait() leaves the line, when cancelled", async () => {
  await virtually(function* () {
    const event = new Event();
    const log: string[] = [];
    const a = createTask(waiting(event, "A", log));
    const b = createTask(waiting(event, "B", log));
    yield* sleep(0);

    a.cancel();
    yield* a.join();
    const line = String(event);
    event.set();
    yield* b;

    expect(line).toBe("<Event [unset, waiters:1]>");
    expect([a.cancelled(), log]).toEqual([true, ["B"]]);
  });
});

test("Event.wait() throws the cancellation, when woken and then cancelled", async () => {
  await virtually(function* () {
    const event = new Event();
    const task = createTask(event.wait());
    yield* sleep(0);

    event.set();
    task.cancel();
    yield* task.join();

    expect(task.cancelled()).toBe(true);
    expect(String(event)).toBe("<Event [set]>");
  });
});

test("Event.wait() leaves the line, when a deadline passes", async () => {
  await virtually(function* () {
    const event = new Event();
    let caught: unknown;

    try {
      yield* waitFor(event.wait(), 5);
    } catch (error) {
      caught = error;
    }

    expect(caught).toBeInstanceOf(TimeoutError);
    expect(String(event)).toBe("<Event [unset]>");
  });
});

test("Event.wait() serves async functions: all wake on set(), not on what came before", async () => {
  await virtually(async () => {
    const event = new Event();
    const log: string[] = [];
    const asynchronous = async (name: string): Promise<boolean> => {
      const result = await event.wait();
      log.push(name);
      return result;
    };
    const tasks = ["A", "B"].map((name) => createTask(() => asynchronous(name)));
    await sleep(5);
    expect(log).toEqual([]);

    event.set();
    event.clear();

    expect(await gather(tasks)).toEqual([true, true]);
    expect(log).toEqual(["A", "B"]);
  });
});

test("Event.wait() ends an async function's wait, when cancelled", async () => {
  await virtually(async () => {
    const event = new Event();
    const task = createTask(async () => {
      await event.wait();
    });
    await sleep(1);
    const waits = task.waitingFor;

    task.cancel();
    await task.join();

    expect(waits).toBe("Event (not set)");
    expect([task.cancelled(), String(event)]).toEqual([true, "<Event [unset]>"]);
  });
});

test("Event.wait() serves code outside of any task [real]", async () => {
  const event = new Event();

  const waits = event.wait().then((value) => value);
  setTimeout(() => event.set(), 1);

  expect(await waits).toBe(true);
  expect(await event.wait()).toBe(true);
});

test("Event refuses the use by a second loop, even when it is set", async () => {
  const event = new Event();
  event.set();
  await using first = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await using second = new Runner({ loop: new EventLoop({ host: new VirtualHost() }), signals: [] });
  await first.run(() => event.wait());

  await expect(second.run(() => event.wait())).rejects.toMatchObject({ name: "RuntimeError", code: "OTHER_LOOP" });
});

test("Event may be made and set outside of any loop", async () => {
  const event = new Event({ name: "ready" });
  event.set();

  expect(await virtually(() => event.wait())).toBe(true);
});

test("Event.toString() tells the state and the length of the line", async () => {
  await virtually(function* () {
    const event = new Event();
    const texts = [String(event)];

    const tasks = [createTask(event.wait()), createTask(event.wait())];
    yield* sleep(0);
    texts.push(String(event));
    event.set();
    texts.push(String(event));
    yield* gather(tasks);
    texts.push(String(event));

    expect(texts).toEqual(["<Event [unset]>", "<Event [unset, waiters:2]>", "<Event [set, waiters:2]>", "<Event [set]>"]);
  });
});

test("Event.describe() tells the name", () => {
  expect([new Event().describe(), new Event({ name: "ready" }).describe()]).toEqual([
    "Event (not set)",
    "Event 'ready' (not set)",
  ]);
});

test("Event shows by its name in what a task waits for", async () => {
  await virtually(function* () {
    const event = new Event({ name: "ready" });
    const task = createTask(waiting(event, "A", []));
    yield* sleep(0);

    const text = task.waitingFor;
    task.cancel();

    expect(text).toBe("Event 'ready' (not set)");
  });
});

test("Event wakes all that are left, whichever waiter is cancelled at whichever turn", async () => {
  const sweep = await cancelEverywhere((stage) => {
    const event = new Event();
    let woken = 0;
    for (const name of ["A", "B"]) {
      stage.actor(name, function* () {
        yield event.wait();
        woken++;
        yield event.wait();
      });
    }
    stage.helper("setter", function* () {
      yield* pause(3);
      event.set();
      event.clear();
      yield* pause(3);
      event.set();
    });
    return () => {
      expect(woken).toBeGreaterThanOrEqual(1);
      expect(String(event)).toBe("<Event [set]>");
    };
  });

  expect(sweep.cancelled).toBeGreaterThan(20);
});
