/** The laws of priorities: in lines that go by them, and of those that hold what others wait for. */

import {
  CapacityLimiter,
  Event,
  effectivePriority,
  Lock,
  type Operation,
  Queue,
  QueueShutDown,
  RWLock,
  race,
  Semaphore,
  sleep,
  type Task,
} from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

const PRIORITIES = [0, 5, -3, 5, 1];

/** Whoever holds a lock has at least the priority of whoever waits for it. */
function liftsHolder(stage: Stage, lock: Lock): void {
  stage.always(() => {
    for (const actor of stage.actors) {
      if (lock.owner === null || actor.done() || !actor.waitingFor?.startsWith(lock.describe())) continue;
      const [holder, waiter] = [effectivePriority(lock.owner), effectivePriority(actor)];
      holds(holder >= waiter, `the holder has ${holder}, ${actor.name} that waits for it ${waiter}`);
    }
  });
  stage.atEnd(() => {
    for (const actor of stage.actors)
      holds(effectivePriority(actor) === 0, "nothing is left of a priority when its task has ended");
  });
}

function* useLock(lock: Lock, used: () => void): Script {
  yield lock.acquire();
  try {
    used();
    yield sleep(1);
  } finally {
    lock.release();
  }
}

for (const order of ["arrival", "priority"] as const) {
  law(`Lock({ order: "${order}" }), lets all in, one at a time, and lifts its holder`, function* (stage) {
    const lock = new Lock({ order, name: "door" });
    let inside = 0;
    let entered = 0;
    stage.always(() => holds(inside <= 1, "one at most is inside"));
    stage.atEnd(() => {
      holds(!lock.locked() && !String(lock).includes("waiters"), `nobody holds it or waits for it at the end: ${lock}`);
      if (stage.undisturbed()) holds(entered === PRIORITIES.length, "all have entered");
    });
    liftsHolder(stage, lock);
    for (const [index, priority] of PRIORITIES.entries()) {
      const actor = stage.actor(`actor ${index}`, function* () {
        yield sleep(index >> 1);
        yield lock.acquire();
        inside++;
        entered++;
        try {
          yield sleep(1);
        } finally {
          inside--;
          lock.release();
        }
      });
      actor.priority = priority;
    }
    yield* stage.watch(() => holds(lock.locked() || !String(lock).includes("waiters"), "nobody waits for a free lock"));
  });
}

law('Semaphore({ order: "priority" }), keeps its permits', function* (stage) {
  const semaphore = new Semaphore(2, { order: "priority" });
  let inside = 0;
  stage.always(() => holds(inside + semaphore.value <= 2, "no permit is made"));
  stage.atEnd(() => {
    holds(semaphore.value === 2 && inside === 0, `no permit is lost: ${semaphore}`);
    holds(!String(semaphore).includes("waiters"), `nobody stands in line at the end: ${semaphore}`);
  });
  for (const [index, priority] of PRIORITIES.entries()) {
    const actor: Task<unknown> = stage.actor(`actor ${index}`, function* () {
      for (let round = 0; round < 2; round++) {
        yield semaphore.acquire();
        inside++;
        try {
          yield sleep(index & 1);
          // In the middle of its work, it becomes more urgent.
          actor.priority = priority + round;
        } finally {
          inside--;
          semaphore.release();
        }
      }
    });
    actor.priority = priority;
  }
  yield* stage.watch(() =>
    holds(semaphore.value === 0 || !String(semaphore).includes("waiters"), "nobody waits for a free permit"),
  );
});

law('Queue({ order: "priority" }), loses and doubles no item', function* (stage) {
  const queue = new Queue<number>(1, { order: "priority" });
  const put: number[] = [];
  const got: number[] = [];
  for (const [index, priority] of PRIORITIES.entries()) {
    const putter = stage.actor(`putter ${index}`, function* () {
      yield* untilShutDown(function* () {
        yield queue.put(index);
        put.push(index);
      });
    });
    const getter = stage.actor(`getter ${index}`, function* () {
      yield* untilShutDown(function* () {
        got.push((yield queue.get()) as number);
      });
    });
    putter.priority = priority;
    getter.priority = -priority;
  }
  stage.atEnd(() => {
    while (!queue.empty()) got.push(queue.getNowait());
    const byNumber = (a: number, b: number): number => a - b;
    same([...got].sort(byNumber), [...put].sort(byNumber), "what was taken or is left");
  });
  yield* stage.watch(() => {});
  // Whoever waits for one that was cancelled must not wait for ever.
  queue.shutdown();
});

function* untilShutDown(script: () => Script): Script {
  try {
    yield* script();
  } catch (error) {
    if (!(error instanceof QueueShutDown)) throw error;
  }
}

/** What has a way in and out, and is held by those inside. */
interface Door {
  readonly name: string;
  readonly source: { holders(): Iterable<Task<unknown>> };
  enter(index: number): Operation<{ release(): void }>;
  isFree(): boolean;
}

const doors: Record<string, () => Door> = {
  CapacityLimiter: () => {
    const source = new CapacityLimiter(2, { name: "door" });
    const enter = (index: number) => source.acquire(1 + (index % 2));
    return { name: "'door'", source, enter, isFree: () => source.borrowed === 0 && source.waiting === 0 };
  },
  RWLock: () => {
    const source = new RWLock({ name: "door" });
    const enter = (index: number) => (index % 2 === 0 ? source.write() : source.read());
    return { name: "'door'", source, enter, isFree: () => !source.locked() && source.waiting === 0 };
  },
};

for (const [kind, make] of Object.entries(doors)) {
  for (const way of ["alone", "in a race()"] as const) {
    law(`${kind} that is waited for ${way}, lifts those inside, whatever becomes of those outside`, function* (stage) {
      const door = make();
      stage.always(() => {
        for (const actor of stage.actors) {
          if (actor.done() || !actor.waitingFor?.includes(door.name)) continue;
          for (const holder of door.source.holders()) {
            const [inside, outside] = [effectivePriority(holder), effectivePriority(actor)];
            holds(
              holder.done() || inside >= outside,
              `${holder.name} inside has ${inside}, ${actor.name} that waits ${outside}`,
            );
          }
        }
      });
      stage.atEnd(() => {
        holds(door.isFree(), `it is free at the end: ${door.source}`);
        for (const actor of stage.actors)
          holds(effectivePriority(actor) === 0, `nothing is left of the priority of ${actor.name}`);
      });
      for (const [index, priority] of PRIORITIES.entries()) {
        const actor: Task<unknown> = stage.actor(`actor ${index}`, function* () {
          yield sleep(index >> 1);
          const entering = door.enter(index);
          const inside: { release(): void } = yield way === "alone" ? entering : race([entering, race([new Event().wait()])]);
          try {
            yield sleep(1);
          } finally {
            inside.release();
          }
        });
        actor.priority = priority;
      }
      yield sleep(1);
      // What they wait for becomes more urgent, and less so: below all others, too.
      for (const [index, priority] of [-4, 0, 3, -5, 9].entries()) {
        const actor = stage.actors[index] as Task<unknown>;
        if (!actor.done()) actor.priority = priority;
      }
      yield* stage.watch(() => {});
    });
  }
}

law("a chain of locks, lifts all that hold one, and lets them down again", function* (stage) {
  const locks = ["a", "b", "c"].map((name) => new Lock({ name }));
  for (const lock of locks) liftsHolder(stage, lock);
  let used = 0;
  for (const [index, priority] of [0, -1, 2, 7].entries()) {
    const actor = stage.actor(`actor ${index}`, function* () {
      yield sleep(index);
      const [outer, inner] = [locks[index - 1], locks[index]];
      if (outer === undefined) yield* useLock(inner as Lock, () => used++);
      else {
        yield outer.acquire();
        try {
          if (inner === undefined) used++;
          else yield* useLock(inner, () => used++);
        } finally {
          outer.release();
        }
      }
    });
    actor.priority = priority;
  }
  stage.atEnd(() => {
    for (const lock of locks) holds(!lock.locked() && !String(lock).includes("waiters"), `it is free at the end: ${lock}`);
    if (stage.undisturbed()) holds(used === 4, "all have done their work");
  });
  yield* stage.watch(() => {});
});
