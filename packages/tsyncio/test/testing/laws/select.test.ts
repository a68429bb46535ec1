/** The laws of select: what it waits for is taken if and only if it says so. */

import {
  BoundedSemaphore,
  Channel,
  Event,
  Future,
  type Guard,
  isCancelled,
  Lock,
  Queue,
  RWLock,
  type Semaphore,
  select,
  sleep,
} from "tsyncio";
import { holds, law, requests, type Script, type Stage, same, Work } from "./scenario.ts";

/** Things to wait for, and who has what of them. */
class Store {
  readonly queue: Queue<number> = new Queue<number>();
  readonly channel: Channel<number> = new Channel<number>(1);
  readonly seats: Semaphore = new BoundedSemaphore(1);
  readonly lock: Lock = new Lock();
  readonly book: RWLock = new RWLock();
  readonly put: number[] = [];
  readonly got: number[] = [];
  readonly inside: Record<string, number> = { seat: 0, lock: 0, book: 0 };
  taken = 0;

  constructor(stage: Stage) {
    stage.always(() => {
      holds(this.inside.seat === 0 || this.seats.value === 0, `the seat is taken by one who has it: ${this.seats}`);
      holds(this.inside.lock === 0 || this.lock.locked(), `the lock is held by one who has it: ${this.lock}`);
      for (const [name, count] of Object.entries(this.inside)) holds(count <= 1, `one at a time has the ${name}`);
    });
    stage.atEnd(() => {
      const left = Array.from({ length: this.queue.qsize() }, () => this.queue.getNowait());
      for (let next = this.channel.tryReceive(); next !== null; next = this.channel.tryReceive()) left.push(next.value);
      same([...this.got, ...left].sort(), [...this.put].sort(), "the items got or left");
      holds(this.seats.value === 1, `the seat is free at the end: ${this.seats}`);
      const ends = [this.seats, this.lock, this.book, this.queue, this.channel].map(String);
      holds(!/waiters|getters|receivers|senders| locked|held/.test(ends.join()), `nobody waits at the end: ${ends}`);
    });
  }

  /** Waits for anything of it, and has it for a while. */
  *take(): Script {
    const first = yield select({
      item: this.queue.get(),
      value: this.channel.receive(),
      seat: this.seats.acquire(),
      lock: this.lock.acquire(),
      book: this.book.write(),
    });
    yield* this.use(first);
  }

  *use({ name, value }: { name: string; value: unknown }): Script {
    this.taken++;
    if (typeof value === "number") {
      this.got.push(value);
      return;
    }
    this.inside[name] = (this.inside[name] as number) + 1;
    try {
      yield sleep(1);
    } finally {
      this.inside[name] = (this.inside[name] as number) - 1;
      (value as Guard).release();
    }
  }

  /** Puts an item into the queue or the channel. */
  *add(item: number): Script {
    if (item % 2 === 0) this.queue.putNowait(item);
    else if (!this.channel.trySend(item)) return;
    this.put.push(item);
  }
}

law("select(), takes one thing and no other, when several are ready", function* (stage) {
  const store = new Store(stage);
  const guards: Guard[] = [];
  for (const what of [store.seats, store.lock]) guards.push(yield what.acquire());
  guards.push(yield store.book.read());
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      for (let i = 0; i < 2; i++) yield* store.take();
    });
  }
  try {
    yield* stage.settle();
    // All at once, while all wait for all of it.
    yield* store.add(0);
    yield* store.add(1);
  } finally {
    for (const guard of guards) guard.release();
  }
  for (let i = 2; stage.actors.some((actor) => !actor.done()); i++) {
    yield* stage.settle();
    yield sleep(1);
    yield* store.add(i);
  }
});

law("select() with sleep(), takes nothing when the time is over, in whichever moment", function* (stage) {
  const store = new Store(stage);
  let late = 0;
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      const first = yield select({ item: store.queue.get(), value: store.channel.receive(), late: sleep(2) });
      if (first.name === "late") late++;
      else yield* store.use(first);
    });
  }
  stage.actor("P", function* () {
    yield sleep(2);
    yield* store.add(0);
    yield* store.add(1);
  });
  stage.atEnd(() => {
    if (stage.undisturbed()) holds(store.taken + late === 3, "each gets something or is late");
  });
});

law("select(), returns what it has taken, when it is cancelled while those that lost clean up", function* (stage) {
  const store = new Store(stage);
  const work = new Work(stage);
  for (const name of ["A", "B"]) {
    stage.actor(name, function* () {
      for (let i = 0; i < 2; i++) {
        const slow = stage.body(() => work.run(3, "slow"));
        let first = { name: "slow", value: null };
        try {
          first = yield select({ slow, item: store.queue.get(), seat: store.seats.acquire() });
        } catch (error) {
          // As by `yield* task`: if the slow one was cancelled by somebody else, that is what comes out.
          if (!isCancelled(error) || requests() > 0) throw error;
        }
        if (first.name !== "slow") yield* store.use(first);
        holds(work.begun <= work.cleaned + 1, "when it returns, what it has started has ended");
      }
    });
  }
  yield sleep(1);
  yield* store.add(0);
  yield sleep(2);
  yield* store.add(2);
});

law("select() in a select(), leaves nothing behind, when the outer one is decided", function* (stage) {
  const store = new Store(stage);
  const bell = new Event();
  const answer = new Future<number>();
  for (const name of ["A", "B"]) {
    stage.actor(name, function* () {
      const first = yield select({
        inner: select({ item: store.queue.get(), value: store.channel.receive(), pass: sleep(4) }, { fair: true }),
        bell: bell.wait(),
        seat: store.seats.acquire(),
        answer: name === "A" ? answer : sleep(3),
      });
      if (first.name === "seat") yield* store.use(first);
      else if (typeof first.value?.value === "number") yield* store.use(first.value);
    });
  }
  stage.actor("P", function* () {
    yield sleep(1);
    yield* store.add(0);
    yield* store.add(1);
    if (!answer.done()) answer.setResult(5);
    bell.set();
  });
});

law("select(), hands its turn on, when it was woken for two things and takes one", function* (stage) {
  const queues = [new Queue<number>(), new Queue<number>()];
  const got: number[] = [];
  let put = 0;
  const add = (queue: Queue<number>): void => {
    queue.putNowait(put++);
  };
  for (const name of ["A", "B"]) {
    stage.actor(name, function* () {
      const [one, two] = queues as [Queue<number>, Queue<number>];
      got.push((yield select({ one: one.get(), two: two.get() })).value);
    });
  }
  for (const [index, queue] of queues.entries()) {
    stage.actor(`only ${index}`, function* () {
      yield sleep(0);
      got.push(yield queue.get());
    });
  }
  stage.atEnd(() => {
    const left = queues.reduce((sum, queue) => sum + queue.qsize(), 0);
    holds(got.length + left === put, `each item is got or left: ${got} and ${left} of ${put}`);
    if (stage.undisturbed()) holds(got.length === 4, "all get one");
  });
  yield* stage.settle();
  for (const queue of [...queues, ...queues]) add(queue);
  for (let i = 0; i < 4; i++) {
    yield* stage.settle();
    const waiting = queues.some((queue) => String(queue).includes("getters") && !queue.empty());
    const shaken = stage.actors.some((actor) => actor.cancelling() > 0 && !actor.done());
    holds(!waiting || shaken, `nobody waits for an item that is there: ${queues}`);
    yield sleep(1);
  }
  // All may have gone to the same queue, where two were to be had, and one that waits for nothing else was left.
  for (const queue of queues) {
    while (String(queue).includes("getters")) {
      add(queue);
      yield* stage.settle();
      yield sleep(0);
    }
  }
});
