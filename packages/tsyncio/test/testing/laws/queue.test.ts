/** The laws of Queue, PriorityQueue and LifoQueue. */

import { LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull, QueueShutDown, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

type Kind = "Queue" | "PriorityQueue" | "LifoQueue";
const KINDS: readonly Kind[] = ["Queue", "PriorityQueue", "LifoQueue"];
const CLASSES = { Queue, PriorityQueue, LifoQueue };

/** A queue and what is known of it: which items are in it, who waits. */
class Line {
  readonly queue: Queue<number>;
  readonly items: number[] = [];
  readonly put: number[] = [];
  readonly got: number[] = [];
  readonly getting = new Set<string>();
  readonly putting = new Set<string>();
  unfinished = 0;
  /** How often all work was finished. */
  finishes = 0;
  readonly #kind: Kind;

  constructor(stage: Stage, kind: Kind, maxsize: number) {
    this.#kind = kind;
    this.queue = new CLASSES[kind]<number>(maxsize);
    stage.always(() => {
      holds(this.queue.qsize() === this.items.length, `it holds what was put and not got: ${this.items.length} items`);
      holds(maxsize === 0 || this.items.length <= maxsize, "it is never more than full");
    });
    stage.atEnd(() => holds(!/getters|putters/.test(String(this.queue)), `nobody waits at the end: ${this.queue}`));
  }

  /** When all wait, nobody waits for what is there. (In between, it may be on its way, or somebody else may have been faster.) */
  readonly check = (): void => {
    holds(
      this.items.length === 0 || this.getting.size === 0,
      `nobody waits for an item while there is one, but ${[...this.getting]}`,
    );
    holds(this.queue.full() || this.putting.size === 0, `nobody waits for a slot while there is one, but ${[...this.putting]}`);
  };

  *add(who: string, item: number): Script {
    this.putting.add(who);
    try {
      yield this.queue.put(item);
    } finally {
      this.putting.delete(who);
    }
    this.added(item);
  }

  added(item: number): void {
    this.put.push(item);
    this.items.push(item);
    this.unfinished++;
  }

  *take(who: string): Script<number> {
    let item: number;
    this.getting.add(who);
    try {
      item = yield this.queue.get();
    } finally {
      this.getting.delete(who);
    }
    this.taken(item);
    return item;
  }

  taken(item: number): void {
    const { items } = this;
    const next = this.#kind === "Queue" ? items[0] : this.#kind === "LifoQueue" ? items.at(-1) : Math.min(...items);
    holds(item === next, `the next item is ${next}, not ${item}`);
    items.splice(items.indexOf(item), 1);
    this.got.push(item);
  }

  done(): void {
    this.queue.taskDone();
    if (--this.unfinished === 0) this.finishes++;
  }

  /** What a shutdown does that drops all items. */
  drop(): void {
    this.unfinished -= this.items.length;
    if (this.unfinished === 0) this.finishes++;
    this.items.length = 0;
  }

  /** Waits for the end of all work: when it returns, all has been finished once since, though more may have been put. */
  *join(): Script {
    const { unfinished, finishes } = this;
    yield this.queue.join();
    holds(unfinished === 0 || this.finishes > finishes, "join() returns when all work has been finished");
  }
}

for (const kind of KINDS) {
  for (const maxsize of kind === "Queue" ? [0, 1] : [2]) {
    law(`${kind}(${maxsize}), gives each item once and in its order, and join() waits for all`, function* (stage) {
      const line = new Line(stage, kind, maxsize);
      const producers = ["P", "Q"].map((name, producer) =>
        stage.actor(name, function* () {
          for (let i = 0; i < 3; i++) {
            yield* line.add(name, producer + 2 * ((i * 2) % 3));
            if (i === 1) yield sleep(0);
          }
        }),
      );
      for (const name of ["C", "D"]) {
        stage.actor(name, function* () {
          try {
            for (;;) {
              yield* line.take(name);
              try {
                yield sleep(name === "C" ? 0 : 1);
              } finally {
                line.done();
              }
            }
          } catch (error) {
            if (!(error instanceof QueueShutDown)) throw error;
          }
        });
      }
      stage.actor("J", function* () {
        yield sleep(0);
        yield* line.join();
      });
      while (producers.some((producer) => !producer.done())) {
        yield* stage.settle();
        line.check();
        yield sleep(1);
      }
      yield* line.join();
      holds(line.unfinished === 0 && line.items.length === 0, "nothing is left when join() returns after all was put");
      same([...line.got].sort(), [...line.put].sort(), "the items got");
      yield* stage.settle();
      line.check();
      line.queue.shutdown();
      yield* stage.settle();
      holds(line.getting.size === 0, "nobody waits at a queue that is shut down");
    });
  }
}

for (const immediate of [false, true]) {
  law(
    `Queue.shutdown(${immediate ? "{ immediate: true }" : ""}), wakes all that wait, and ${immediate ? "drops" : "gives"} what is left`,
    function* (stage) {
      const line = new Line(stage, "Queue", 2);
      let over = false;
      for (const [producer, name] of ["P", "Q", "R"].entries()) {
        stage.actor(name, function* () {
          try {
            for (let i = 0; i < 3; i++) {
              yield* line.add(name, 10 * producer + i);
              holds(!over, "nothing is put after the shutdown");
            }
          } catch (error) {
            if (!(error instanceof QueueShutDown)) throw error;
            holds(over, "only a queue that is shut down says so");
          }
        });
      }
      for (const name of ["C", "D"]) {
        stage.actor(name, function* () {
          try {
            for (;;) {
              yield* line.take(name);
              try {
                yield sleep(1);
              } finally {
                line.done();
              }
            }
          } catch (error) {
            if (!(error instanceof QueueShutDown)) throw error;
            holds(over && line.items.length === 0, "a taker is told when nothing is left");
          }
        });
      }
      stage.actor("J", function* () {
        yield sleep(1);
        yield* line.join();
      });
      const shutdown = (): void => {
        over = true;
        line.queue.shutdown({ immediate });
        if (immediate) line.drop();
      };
      yield sleep(1);
      shutdown();
      yield* stage.settle();
      holds(line.getting.size === 0 && line.putting.size === 0, "nobody waits at a queue that is shut down");
      yield* stage.watch(line.check);
      if (!immediate) same([...line.got].sort(), [...line.put].sort(), "the items got");
      holds(line.unfinished === 0 && line.items.length === 0, "nothing is left");
      yield line.queue.join();
    },
  );
}

law("Queue.shutdown({ immediate: true }), ends join() when what was taken is done, and no sooner", function* (stage) {
  const line = new Line(stage, "Queue", 2);
  for (const [item, name] of ["P", "Q", "R", "S"].entries()) {
    stage.actor(name, function* () {
      try {
        yield* line.add(name, item);
      } catch (error) {
        if (!(error instanceof QueueShutDown)) throw error;
      }
    });
  }
  yield* stage.settle();
  const joiners = ["J", "K"].map((name) =>
    stage.actor(name, function* () {
      yield* line.join();
    }),
  );
  const work = stage.t.choose(2);
  if (work === 1) line.taken(line.queue.getNowait());
  yield* stage.settle();
  line.drop();
  line.queue.shutdown({ immediate: true });
  yield* stage.settle();
  holds(line.putting.size === 0, "nobody waits at a queue that is shut down");
  for (const joiner of joiners)
    holds(joiner.done() === (work === 0) || joiner.cancelling() > 0, "join() waits for what was taken");
  if (work === 1) line.done();
  yield* stage.settle();
  for (const joiner of joiners) holds(joiner.done(), "join() has returned when all is done");
});

law("Queue.putNowait() and getNowait(), hinder nobody who waits, when they snatch items and slots", function* (stage) {
  const line = new Line(stage, "Queue", 1);
  for (const name of ["C", "D"]) {
    stage.actor(name, function* () {
      for (let i = 0; i < 2; i++) yield* line.take(name);
    });
  }
  stage.actor("P", function* () {
    for (let i = 0; i < 3; i++) yield* line.add("P", i);
  });
  stage.actor("thief", function* () {
    for (let i = 0; i < 3; i++) {
      try {
        const item = line.queue.getNowait();
        line.taken(item);
      } catch (error) {
        if (!(error instanceof QueueEmpty)) throw error;
        holds(line.items.length === 0, "it is empty when it says so");
      }
      yield sleep(0);
      try {
        line.queue.putNowait(10 + i);
        line.added(10 + i);
      } catch (error) {
        if (!(error instanceof QueueFull)) throw error;
        holds(line.items.length === 1, "it is full when it says so");
      }
      yield sleep(0);
    }
  });
  for (let i = 0; stage.actors.some((actor) => !actor.done()); i++) {
    yield* stage.settle();
    line.check();
    if (line.getting.size > 0) yield* line.add("main", 20 + i);
    else if (line.putting.size > 0) yield* line.take("main");
    yield sleep(0);
  }
});

law("Queue.get(), serves in order of arrival, when items come in bursts", function* (stage) {
  const line = new Line(stage, "Queue", 0);
  const arrived: string[] = [];
  const served: string[] = [];
  for (const name of ["A", "B", "C", "D", "E"]) {
    stage.actor(name, function* () {
      arrived.push(name);
      yield* line.take(name);
      served.push(name);
    });
  }
  for (const burst of [2, 1, 2]) {
    yield* stage.settle();
    for (let i = 0; i < burst; i++) {
      const item = line.put.length;
      line.queue.putNowait(item);
      line.added(item);
    }
    yield* stage.settle();
    line.check();
    // In any order: whoever is still waiting came later than all that were served.
    const waiting = arrived.filter((each) => line.getting.has(each));
    const last = Math.max(...served.map((each) => arrived.indexOf(each)));
    for (const each of waiting) {
      const due = stage.actors.find((actor) => actor.name === each)?.cancelling() === 0;
      holds(!due || arrived.indexOf(each) > last, `${each} was passed over: served are ${served}`);
    }
  }
  const expected = arrived.filter((each) => served.includes(each));
  if (stage.inOrder) same(served, expected, "those served");
});

law("Queue.put(), serves in order of arrival, when slots come in bursts", function* (stage) {
  const line = new Line(stage, "Queue", 2);
  const arrived: number[] = [];
  for (const [item, name] of ["A", "B", "C", "D", "E"].entries()) {
    stage.actor(name, function* () {
      arrived.push(item);
      yield* line.add(name, item);
    });
  }
  for (const burst of [2, 1, 2]) {
    yield* stage.settle();
    line.check();
    for (let i = 0; i < burst && line.items.length > 0; i++) line.taken(line.queue.getNowait());
  }
  yield* stage.settle();
  line.check();
  const expected = arrived.filter((each) => line.put.includes(each));
  if (stage.inOrder) same(line.put, expected, "the items put");
});

law(
  "Queue.get() under waitFor(), takes an item if and only if it returns, when one comes as the time is over",
  function* (stage) {
    const line = new Line(stage, "Queue", 1);
    let late = 0;
    for (const name of ["A", "B", "C"]) {
      stage.actor(name, function* () {
        const take = stage.body(() => line.take(name));
        try {
          yield waitFor(take, 2);
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          late++;
        }
      });
    }
    stage.actor("P", function* () {
      yield sleep(2);
      for (const item of [1, 2]) {
        try {
          yield waitFor(
            stage.body(() => line.add("P", item)),
            1,
          );
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
        }
      }
    });
    stage.atEnd(() => {
      if (stage.undisturbed()) holds(line.got.length + late === 3, "each gets an item or is late");
    });
    yield* stage.watch(line.check);
  },
);
