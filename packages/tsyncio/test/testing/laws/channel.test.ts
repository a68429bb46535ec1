/** The laws of Channel. */

import { Channel, ChannelClosed, select, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

/** A channel and what is known of it: what was sent, what has arrived, who waits. */
class Pipe {
  readonly channel: Channel<number>;
  /** Of each value, what became of its send. */
  readonly sends = new Map<number, "under way" | "done" | "failed">();
  readonly got: number[] = [];
  readonly receiving = new Set<string>();
  readonly #stage: Stage;

  /** @param tried - How often `trySend` may succeed. */
  constructor(stage: Stage, capacity: number, tried = 0) {
    this.channel = new Channel(capacity);
    this.#stage = stage;
    // Without a buffer, `trySend` hands over to those that are waiting, and have not run yet.
    const most = Math.max(capacity, capacity === 0 ? tried : 0);
    stage.always(() => holds(this.channel.length <= most, `it keeps ${most} values at most: ${this.channel}`));
    stage.atEnd(() => {
      holds(!/senders|receivers/.test(String(this.channel)), `nobody waits at the end: ${this.channel}`);
      const left: number[] = [];
      while (this.channel.length > 0) left.push((this.channel.tryReceive() as { value: number }).value);
      this.#account([...this.got, ...left]);
    });
  }

  /** Each value was sent by one who was told so, and is there once. */
  #account(found: number[]): void {
    same([...new Set(found)], found, "the values, each once,");
    for (const [value, state] of this.sends) {
      holds(state !== "failed" || !found.includes(value), `${value} was not sent, as its sender was told`);
      holds(state !== "done" || found.includes(value), `${value} was sent, and is not lost`);
      holds(state !== "under way", "each send has ended");
    }
  }

  /** When all wait, nobody waits for what is there. */
  readonly check = (): void => {
    if (this.#stage.actors.some((actor) => actor.cancelling() > 0 && !actor.done())) return;
    const { length, waitingSenders, waitingReceivers } = this.channel.statistics();
    holds(waitingReceivers === 0 || length + waitingSenders === 0, `nobody waits for a value that is there: ${this.channel}`);
    holds(waitingSenders === 0 || length === this.channel.capacity, `nobody waits for room that is there: ${this.channel}`);
    holds(this.receiving.size <= waitingReceivers, `${[...this.receiving]} wait: ${this.channel}`);
  };

  *send(value: number, by: Channel<number>, how?: () => Script<unknown>): Script {
    this.sends.set(value, "under way");
    try {
      if (how === undefined) yield by.send(value);
      else yield* how();
    } catch (error) {
      this.sends.set(value, "failed");
      throw error;
    }
    this.sends.set(value, "done");
    const taken = this.got.includes(value);
    holds(taken || this.channel.capacity > 0, `${value} has been taken when its send without a buffer ends`);
  }

  *receive(who: string): Script<number> {
    this.receiving.add(who);
    let value: number;
    try {
      value = yield this.channel.receive();
    } finally {
      this.receiving.delete(who);
    }
    this.got.push(value);
    return value;
  }

  /** Receives until the end; returns whether that came by an error. */
  *drain(who: string, pace: number): Script<boolean> {
    try {
      for (;;) {
        yield* this.receive(who);
        yield sleep(pace);
      }
    } catch (error) {
      if (error instanceof ChannelClosed) return false;
      if (error instanceof RangeError) return true;
      throw error;
    }
  }
}

for (const capacity of [0, 1, 3]) {
  law(`Channel(${capacity}), gives each value once to one receiver, and ends with its last handle`, function* (stage) {
    const pipe = new Pipe(stage, capacity);
    for (const [sender, name] of ["P", "Q"].entries()) {
      const open = pipe.channel.clone();
      stage.actor(name, function* () {
        try {
          for (let i = 0; i < 3; i++) {
            yield* pipe.send(10 * sender + i, open);
            if (i === sender) yield sleep(0);
          }
        } finally {
          open.close();
        }
      });
    }
    pipe.channel.close();
    for (const [pace, name] of ["C", "D"].entries()) {
      stage.actor(name, function* () {
        const failed: boolean = yield* pipe.drain(name, pace);
        const open = pipe.channel.statistics().handles > 0;
        holds(failed === open, "it ends without an error when all handles are closed, and only then");
      });
    }
    stage.atEnd(() => {
      // A handle of one that was cancelled before it ran stays open; here, nobody minds.
      if (stage.undisturbed()) holds(pipe.got.length === 6, `all six are received, not ${pipe.got}`);
      if (stage.inOrder && stage.undisturbed()) {
        for (const first of [0, 10]) {
          const mine = pipe.got.filter((each) => each >= first && each < first + 10);
          same(mine, [...mine].sort(), "the values of one sender");
        }
      }
    });
    for (let i = 0; i < 20 && stage.actors.slice(0, 2).some((actor) => !actor.done()); i++) {
      yield* stage.settle();
      pipe.check();
      yield sleep(1);
    }
    // If a sender never began, its handle is still open.
    if (pipe.channel.statistics().handles > 0) pipe.channel.close(new RangeError("over"));
  });
}

law("Channel.close(), tells all who wait, and loses nothing that was sent", function* (stage) {
  const pipe = new Pipe(stage, 1);
  for (const [sender, name] of ["P", "Q", "R"].entries()) {
    stage.actor(name, function* () {
      try {
        for (let i = 0; i < 3; i++) yield* pipe.send(10 * sender + i, pipe.channel);
      } catch (error) {
        if (!(error instanceof ChannelClosed)) throw error;
        holds(pipe.channel.closed, "only a channel that is closed says so");
      }
    });
  }
  for (const name of ["C", "D"]) {
    stage.actor(name, function* () {
      const failed: boolean = yield* pipe.drain(name, 1);
      holds(failed && pipe.channel.length === 0, "receivers get the error when nothing is left");
    });
  }
  yield sleep(1);
  pipe.channel.close(new RangeError("closed by an error"));
  yield* stage.settle();
  holds(pipe.channel.statistics().waitingSenders === 0, "nobody waits to send when it is closed");
  yield* stage.watch(() => {});
});

law(
  "Channel.send() and receive() under waitFor(), happen if and only if they return, when the time is over",
  function* (stage) {
    const pipe = new Pipe(stage, 0);
    let ended = 0;
    const late = function* (script: Script): Script {
      try {
        yield* script;
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
      }
      ended++;
    };
    for (const [value, name] of ["P", "Q"].entries()) {
      stage.actor(name, function* () {
        yield* late(
          pipe.send(value, pipe.channel, function* () {
            yield waitFor(pipe.channel.send(value), 2);
          }),
        );
      });
    }
    for (const name of ["C", "D", "E"]) {
      stage.actor(name, function* () {
        yield sleep(2);
        yield* late(
          (function* (): Script {
            const value: number = yield waitFor(pipe.channel.receive(), 1);
            pipe.got.push(value);
          })(),
        );
      });
    }
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(ended === 5, "all go on");
    });
  },
);

for (const capacity of [0, 1]) {
  law(
    `Channel(${capacity}).trySend() and tryReceive(), lose nothing, when they come between those that wait`,
    function* (stage) {
      const pipe = new Pipe(stage, capacity, 4);
      for (const name of ["C", "D"]) {
        stage.actor(name, function* () {
          yield* pipe.drain(name, 0);
        });
      }
      stage.actor("P", function* () {
        try {
          for (let i = 0; i < 3; i++) yield* pipe.send(i, pipe.channel);
        } catch (error) {
          if (!(error instanceof ChannelClosed)) throw error;
        }
      });
      const thief = stage.actor("thief", function* () {
        for (let i = 10; i < 14; i++) {
          if (pipe.channel.trySend(i)) pipe.sends.set(i, "done");
          yield sleep(0);
          const got = pipe.channel.tryReceive();
          if (got !== null) pipe.got.push(got.value);
          yield sleep(0);
        }
      });
      for (let i = 0; i < 10 && !thief.done(); i++) {
        yield* stage.settle();
        pipe.check();
        yield sleep(1);
      }
      pipe.channel.close(new RangeError("over"));
    },
  );
}

law("Channel under select(), hands each value over once, when both sides have a choice", function* (stage) {
  const left = new Pipe(stage, 0);
  const right = new Pipe(stage, 0);
  /** Sends a value by one of the two, whoever takes it first. */
  const sender = (name: string, value: number): void => {
    stage.actor(name, function* () {
      for (let i = 0; i < 2; i++) {
        const each = value + i;
        left.sends.set(each, "under way");
        right.sends.set(each, "under way");
        let by = "neither";
        try {
          by = (yield select({ left: left.channel.send(each), right: right.channel.send(each), late: sleep(3) })).name;
        } finally {
          left.sends.set(each, by === "left" ? "done" : "failed");
          right.sends.set(each, by === "right" ? "done" : "failed");
        }
      }
    });
  };
  sender("P", 0);
  sender("Q", 10);
  for (const name of ["C", "D"]) {
    stage.actor(name, function* () {
      for (let i = 0; i < 2; i++) {
        const first = yield select({ right: right.channel.receive(), left: left.channel.receive(), late: sleep(3) });
        if (first.name !== "late") (first.name === "left" ? left : right).got.push(first.value);
      }
    });
  }
  // One that has both ends never meets itself.
  stage.actor("E", function* () {
    const value = 20;
    left.sends.set(value, "under way");
    let first: { name: string; value: number } | null = null;
    try {
      first = yield select({ in: left.channel.receive(), out: left.channel.send(value), late: sleep(2) });
    } finally {
      left.sends.set(value, first?.name === "out" ? "done" : "failed");
    }
    if (first?.name === "in") left.got.push(first.value);
    holds(first?.value !== value, "it does not get its own value");
  });
  yield* stage.watch(right.check);
});
