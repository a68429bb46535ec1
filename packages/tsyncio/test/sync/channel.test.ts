import {
  Channel,
  ChannelClosed,
  createTask,
  gather,
  getRunningLoop,
  isCancelled,
  select,
  sleep,
  type Task,
  timeout,
} from "tsyncio";
import { runTest } from "tsyncio/testing";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

test("Channel gives values in order, from one sender to one receiver, and ends when it is closed", async () => {
  for (const capacity of [0, 1, 2, Number.POSITIVE_INFINITY]) {
    const got = await virtually(function* () {
      const channel = new Channel<number>(capacity);
      const sender = createTask(function* () {
        for (const value of [1, 2, 3]) yield* channel.send(value);
        channel.close();
      });
      const values: number[] = [];
      yield* createTask(async () => {
        for await (const value of channel) values.push(value);
      });
      return [...values, sender.done()];
    });

    expect(got).toEqual([1, 2, 3, true]);
  }
});

test("Channel.send() without a buffer ends when a receiver has taken the value, and not before", async () => {
  const log = await virtually(function* () {
    const channel = new Channel<string>();
    const events: string[] = [];
    const sender = createTask(function* () {
      yield* channel.send("tea");
      events.push("sent");
    });
    yield* sleep(5);
    events.push("receiver comes");
    events.push(yield* channel.receive());
    yield* sender;
    return events;
  });

  expect(log).toEqual(["receiver comes", "tea", "sent"]);
});

test("Channel.send() with a buffer waits only while it is full", async () => {
  const states = await virtually(function* () {
    const channel = new Channel<number>(2);
    const sender = createTask(function* () {
      for (const value of [1, 2, 3]) yield* channel.send(value);
    });
    yield* sleep(1);
    const before = [channel.length, String(channel), sender.waitingFor];
    const first = yield* channel.receive();
    const after = [channel.length, channel.statistics()];
    yield* sender;
    return [before, first, after];
  });

  expect(states).toEqual([
    [2, "<Channel capacity=2 length=2 senders[1]>", "Channel.send (full: 2)"],
    1,
    [2, { capacity: 2, length: 2, handles: 1, waitingSenders: 0, waitingReceivers: 0 }],
  ]);
});

test("Channel.receive() serves in order of arrival, also when newcomers come between", async () => {
  const log = await virtually(function* () {
    const channel = new Channel<number>(5);
    const served: string[] = [];
    const receiver = (name: string): Task<void> =>
      createTask(
        function* () {
          served.push(`${name}${yield* channel.receive()}`);
        },
        { eager: true },
      );
    const first = [receiver("A"), receiver("B")];
    yield* sleep(0);
    const sent = [1, 2].map((value) => channel.trySend(value));
    // Both values are for those that have been woken.
    const early = channel.tryReceive();
    const last = receiver("C");
    yield* gather(first);
    channel.trySend(3);
    yield* last;
    return [sent, early, served, channel.length];
  });

  expect(log).toEqual([[true, true], null, ["A1", "B2", "C3"], 0]);
});

test("Channel ends when the last handle is closed, and each handle is closed by itself", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>(3);
    const states: unknown[] = [];
    {
      using clone = channel.clone();
      channel.close();
      channel.close();
      states.push(channel.closed, clone.closed, channel.statistics().handles);
      try {
        yield* channel.send("by a closed one");
      } catch (error) {
        states.push((error as Error).message);
      }
      yield* clone.send("by an open one");
      const another = clone.clone();
      another.close();
    }
    states.push(yield* channel.receive());
    try {
      yield* channel.receive();
    } catch (error) {
      states.push(error instanceof ChannelClosed, (error as ChannelClosed).code, (error as Error).message);
    }
    return states;
  });

  expect(seen).toEqual([
    true,
    false,
    1,
    "Cannot send to Channel: this handle is closed; clone() one for each sender",
    "by an open one",
    true,
    "CHANNEL_CLOSED",
    "Cannot receive from Channel: it is closed, and nothing is left",
  ]);
});

test("Channel.close() tells those that wait to send by that handle, and no others", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<number>(1, { name: "jobs" });
    const other = channel.clone();
    yield* channel.send(0);
    const mine = createTask(channel.send(1));
    const theirs = createTask(other.send(2));
    yield* sleep(0);
    channel.close();
    yield* mine.join();
    const told = (mine.exception() as Error).message;
    const values = [yield* channel.receive(), yield* channel.receive()];
    yield* theirs;
    other.close();
    return [told, values, channel.length];
  });

  expect(seen).toEqual(["Cannot send to Channel 'jobs': this handle is closed; clone() one for each sender", [0, 2], 0]);
});

test("Channel.close() ends all receives that wait", async () => {
  const names = await virtually(function* () {
    const channel = new Channel<number>();
    const receivers = [createTask(channel.receive()), createTask(channel.receive())];
    yield* sleep(0);
    channel.close();
    for (const each of receivers) yield* each.join();
    return receivers.map((each) => (each.exception() as Error).name);
  });

  expect(names).toEqual(["ChannelClosed", "ChannelClosed"]);
});

test("Channel.close(error) gives receivers what was sent, then the error, and senders a ChannelClosed with that cause", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<number>(2);
    const handle = channel.clone();
    const broken = new RangeError("broken");
    yield* channel.send(1);
    yield* channel.send(2);
    const waiting = createTask(handle.send(3));
    yield* sleep(0);
    channel.close(broken);
    channel.close(new Error("too late"));
    yield* waiting.join();
    const sender = waiting.exception() as Error;
    const values: number[] = [];
    const ends: unknown[] = [];
    try {
      yield* createTask(async () => {
        for await (const value of channel) values.push(value);
      });
    } catch (error) {
      ends.push(error === broken);
    }
    try {
      channel.tryReceive();
    } catch (error) {
      ends.push(error === broken);
    }
    return [sender.name, sender.cause === broken, handle.closed, values, ends];
  });

  expect(seen).toEqual(["ChannelClosed", true, true, [1, 2], [true, true]]);
});

test("Channel as an async iterable throws a ChannelClosed that it was closed with: only its own end is silent", async () => {
  const caught = await virtually(async () => {
    const channel = new Channel<number>(1);
    channel.close(new ChannelClosed("of another channel"));
    try {
      for await (const _ of channel);
      return "silent";
    } catch (error) {
      return (error as Error).message;
    }
  });

  expect(caught).toBe("of another channel");
});

test("Channel.send() sends nothing, when cancelled while it waits, and lets the next one send", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const victim = createTask(channel.send("lost"));
    const next = createTask(channel.send("kept"));
    yield* sleep(0);
    victim.cancel();
    const value = yield* channel.receive();
    yield* next;
    return [victim.cancelled(), value, channel.tryReceive()];
  });

  expect(seen).toEqual([true, "kept", null]);
});

test("Channel.send() has sent nothing if it is cancelled, whenever that is", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const log: string[] = [];
    const sender = createTask(function* () {
      try {
        yield* channel.send("taken");
        log.push("sent");
        yield* sleep(1);
        log.push("not reached");
      } catch (error) {
        log.push(isCancelled(error) ? "cancelled afterwards" : "?");
        throw error;
      }
    });
    yield* sleep(0);
    log.push(yield* channel.receive());
    // Its value has been taken, and it has not run yet.
    sender.cancel();
    yield* sender.join();
    return [log, sender.cancelled()];
  });

  expect(seen).toEqual([["taken", "sent", "cancelled afterwards"], true]);
});

test("Channel.send() that is all there is of a task ends as usual, when cancelled after its value was taken", async () => {
  const { result, reports } = await runVirtual(
    function* () {
      const channel = new Channel<string>();
      const sender = createTask(channel.send("taken"));
      yield* sleep(0);
      const value = yield* channel.receive();
      sender.cancel();
      yield* sender.join();
      return [value, sender.cancelled(), sender.cancelling()];
    },
    { debug: true },
  );

  expect(result).toEqual(["taken", false, 0]);
  expect(reports).toEqual([]);
});

test("Channel.send() awaited by an async function is cancelled at its next wait, when its value was taken before", async () => {
  const seen = await virtually(async () => {
    const channel = new Channel<string>();
    const log: string[] = [];
    const sender = createTask(async () => {
      await channel.send("taken");
      log.push("sent");
      await sleep(1);
      log.push("not reached");
    });
    await sleep(0);
    log.push(await channel.receive());
    sender.cancel();
    await sender.join();
    return [log, sender.cancelled()];
  });

  expect(seen).toEqual([["taken", "sent"], true]);
});

test("Channel.send() under timeout() is in time, when its value was taken in the turn of the deadline", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    let got: unknown = null;
    // Its timer stands before that of the deadline.
    getRunningLoop().callLater(2, () => {
      got = channel.tryReceive();
    });
    const sender = createTask(function* () {
      yield* timeout(2, function* () {
        yield* channel.send("taken");
      });
      yield* sleep(1);
      return "went on";
    });
    const end = yield* sender;
    return [got, end];
  });

  expect(seen).toEqual([{ value: "taken" }, "went on"]);
});

test("Channel.receive() takes nothing, when cancelled while it waits", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<number>();
    const victim = createTask(channel.receive());
    yield* sleep(0);
    victim.cancel();
    const sent = channel.trySend(1);
    yield* victim.join();
    return [victim.cancelled(), sent, channel.length];
  });

  expect(seen).toEqual([true, false, 0]);
});

test("Channel.receive() passes its turn on, when woken and then cancelled", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<number>();
    const victim = createTask(channel.receive());
    const next = createTask(channel.receive());
    yield* sleep(0);
    const sender = createTask(channel.send(1));
    yield* sleep(0);
    victim.cancel();
    const value = yield* next;
    yield* sender;
    return [victim.cancelled(), value];
  });

  expect(seen).toEqual([true, 1]);
});

test("Channel.receive() keeps its place, when the sender that it was woken for is cancelled", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<number>();
    const got: string[] = [];
    const receivers = ["A", "B"].map((name) =>
      createTask(function* () {
        got.push(`${name}${yield* channel.receive()}`);
      }),
    );
    yield* sleep(0);
    const fickle = createTask(channel.send(0));
    yield* sleep(0);
    fickle.cancel();
    yield* sleep(0);
    yield* sleep(0);
    yield* channel.send(1);
    yield* channel.send(2);
    yield* gather(receivers);
    return got;
  });

  expect(seen).toEqual(["A1", "B2"]);
});

test("Channel.receive() passes its turn on, when all it could meet is a send of its own select", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const both = createTask(select({ in: channel.receive(), out: channel.send("from select") }));
    yield* sleep(0);
    const fickle = createTask(channel.send("fickle"));
    yield* sleep(0);
    // The select has been woken for the fickle one, which leaves; another comes before it runs.
    fickle.cancel();
    const other = createTask(channel.receive(), { eager: true });
    return [yield* other, (yield* both).name];
  });

  expect(seen).toEqual(["from select", "out"]);
});

test("Channel under select() lets time pass, when all ends that wait belong to one select", async () => {
  const name = await runTest(
    function* () {
      const channel = new Channel<string>();
      return (yield* select({ one: channel.receive(), two: channel.receive(), out: channel.send("mine"), late: sleep(5) }))
        .name;
    },
    { maxSteps: 1000 },
  );

  expect(name).toBe("late");
});

test("Channel under select() with both ends meets another, and never itself", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<string>();
    const choice = (name: string) => select({ in: channel.receive(), out: channel.send(name), late: sleep(5) });
    const alone = yield* choice("alone");
    const [a, b] = yield* gather(choice("a"), choice("b"));
    return [alone.name, [a, b].map((each) => each.name).sort(), [a, b].map((each) => each.value).filter(Boolean).length];
  });

  expect(seen).toEqual(["late", ["in", "out"], 1]);
});

test("Channel.trySend() succeeds if there is room, or a receiver waits for it", async () => {
  const seen = await virtually(function* () {
    const none = new Channel<number>();
    const one = new Channel<number>(1);
    const results = [none.trySend(1), one.trySend(1), one.trySend(2)];
    const receiver = createTask(none.receive());
    yield* sleep(0);
    results.push(none.trySend(3), none.trySend(4));
    const value = yield* receiver;
    one.close();
    try {
      one.trySend(5);
    } catch (error) {
      return [results, value, (error as Error).name, one.tryReceive(), none.tryReceive()];
    }
  });

  expect(seen).toEqual([[false, true, false, true, false], 3, "ChannelClosed", { value: 1 }, null]);
});

test("Channel works outside of any task", async () => {
  const channel = new Channel<number>(1);

  await channel.send(1);
  const waiting = Promise.resolve(channel.send(2));
  const values = [await channel.receive(), await channel.receive()];
  await waiting;
  channel.close();

  expect(values).toEqual([1, 2]);
  await expect(Promise.resolve(channel.receive())).rejects.toBeInstanceOf(ChannelClosed);
});

test("Channel may carry undefined", async () => {
  const seen = await virtually(function* () {
    const channel = new Channel<undefined>(1);
    yield* channel.send(undefined);
    const first = channel.tryReceive();
    return [first, channel.tryReceive()];
  });

  expect(seen).toEqual([{ value: undefined }, null]);
});

test("Channel refuses a capacity that is none, options that are none, and errors that are none", () => {
  for (const capacity of [-1, 0.5, Number.NaN, "1", null]) {
    expect(() => new Channel(capacity as number)).toThrow(/Expected `capacity` to be an integer ≥ 0 or Infinity, got/);
  }
  expect(() => new Channel(0, "name" as never)).toThrow(TypeError);
  expect(() => new Channel().close("because")).toThrow('Expected `error` to be an Error, got "because" (string)');
  expect(() => new Channel().close(null)).toThrow(TypeError);
  const closed = new Channel();
  closed.close();
  expect(() => closed.clone()).toThrow("Cannot clone Channel: it is closed");
});
