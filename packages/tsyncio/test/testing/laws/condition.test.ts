/** The laws of Condition. */

import { Condition, currentTask, Lock, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage } from "./scenario.ts";

/** Checks that one task at a time is between taking the lock and giving it back, or within `wait()`. */
class Inside {
  #who: unknown = null;
  readonly #lock: Lock;

  constructor(stage: Stage, lock: Lock, ...conditions: Condition[]) {
    this.#lock = lock;
    stage.always(() => holds(this.#who === null || lock.locked(), "the lock is held while somebody is inside"));
    stage.atEnd(() => {
      holds(this.#who === null, "nobody is inside at the end");
      holds(!lock.locked(), "the lock is free at the end");
      for (const each of [lock, ...conditions]) holds(!String(each).includes("waiters"), `nobody waits at the end: ${each}`);
    });
  }

  enter(): void {
    holds(this.#who === null, "one at most is inside");
    this.#who = currentTask();
    holds(this.#lock.owner === this.#who, "whoever is inside is the owner of the lock");
  }

  leave(): void {
    holds(this.#who === currentTask(), "whoever leaves was inside");
    this.#who = null;
  }

  /** Inside of `with`: runs a part during which others may be inside. However it ends, one is inside again after it. */
  *outside<T>(part: () => Script<T>): Script<T> {
    this.leave();
    try {
      return yield* part();
    } finally {
      this.enter();
    }
  }

  /** A body for `with`. */
  *within<T>(part: () => Script<T>): Script<T> {
    this.enter();
    try {
      return yield* part();
    } finally {
      this.leave();
    }
  }
}

law("Condition.notify(), wakes somebody for each item, when any of the takers is cancelled", function* (stage) {
  const lock = new Lock();
  const changed = new Condition(lock);
  const inside = new Inside(stage, lock, changed);
  const items: number[] = [];
  const waiting = new Set<string>();
  let put = 0;
  let taken = 0;
  stage.always(() => holds(items.length + taken === put, "items put are here or were taken"));
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      const take = stage.body(() =>
        inside.within(function* () {
          waiting.add(name);
          try {
            while (items.length === 0) {
              yield* inside.outside(function* () {
                yield changed.wait();
              });
            }
          } finally {
            waiting.delete(name);
          }
          items.pop();
          taken++;
          yield sleep(0);
        }),
      );
      yield changed.with(take);
    });
  }
  for (let i = 0; i < 3; i++) {
    const add = stage.body(() =>
      inside.within(function* () {
        put++;
        items.push(i);
        changed.notify();
      }),
    );
    yield changed.with(add);
    // The second comes at any time after the first, the third when all wait again.
    if (i > 0) {
      yield* stage.settle();
      holds(items.length === 0 || waiting.size === 0, `nobody waits while there is an item, but ${[...waiting]}`);
    }
  }
});

law(
  "Condition.waitFor() on two conditions of one lock, loses no item and no wake-up, in a buffer for one item",
  function* (stage) {
    const lock = new Lock();
    const filled = new Condition(lock);
    const emptied = new Condition(lock);
    const inside = new Inside(stage, lock, filled, emptied);
    const items: number[] = [];
    let put = 0;
    let taken = 0;
    let getters = 0;
    let putters = 0;
    let over = false;
    stage.always(() => {
      holds(items.length <= 1, "there is one item at most");
      holds(items.length + taken === put, "items put are here or were taken");
    });
    for (const name of ["P", "Q"]) {
      stage.actor(name, function* () {
        for (let i = 0; i < 2; i++) {
          const add = stage.body(function* (): Script {
            putters++;
            try {
              yield emptied.waitFor(() => items.length === 0 || over);
            } finally {
              putters--;
              holds(lock.owner === currentTask(), "the lock is held when waitFor() ends");
            }
            if (over) return;
            items.push(i);
            put++;
            filled.notify();
          });
          yield emptied.with(add);
        }
      });
    }
    for (const name of ["C", "D"]) {
      stage.actor(name, function* () {
        const take = stage.body(() =>
          inside.within(function* () {
            yield* inside.outside(function* () {
              getters++;
              try {
                const size = yield filled.waitFor(() => items.length || (over ? -1 : 0));
                holds(size === items.length || over, "waitFor() gives what the predicate gave");
              } finally {
                getters--;
              }
            });
            if (items.pop() === undefined) return false;
            taken++;
            emptied.notify();
            return true;
          }),
        );
        while (yield filled.with(take));
      });
    }
    yield* stage.watch(() => {
      holds(items.length === 0 || getters === 0, "nobody waits for an item while there is one");
      holds(items.length === 1 || putters === 0, "nobody waits for room while there is some");
      if (stage.actors.slice(0, 2).some((producer) => !producer.done()) && getters > 0) return;
      over = true;
      // From outside of any task's turn nobody holds it: all wait, and none for the lock.
      holds(!lock.locked(), "nobody holds the lock while all wait");
      stage.actor("closer", function* () {
        yield filled.with(
          stage.body(function* (): Script {
            filled.notifyAll();
            emptied.notifyAll();
          }),
        );
      });
    });
  },
);

law("Condition.notifyAll(), wakes all that wait and nobody who comes later, one after another", function* (stage) {
  const lock = new Lock();
  const changed = new Condition(lock);
  const inside = new Inside(stage, lock, changed);
  const waiting = new Set<string>();
  let woken = 0;
  for (const [index, name] of ["A", "B", "C", "D"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index >> 1);
      const body = stage.body(() =>
        inside.within(function* () {
          waiting.add(name);
          try {
            yield* inside.outside(function* () {
              const value = yield changed.wait();
              holds(value === true, "wait() gives true");
            });
            woken++;
          } finally {
            waiting.delete(name);
          }
          yield sleep(0);
        }),
      );
      yield changed.with(body);
    });
  }
  for (let round = 0; round < 2; round++) {
    yield sleep(round);
    yield* stage.settle();
    const before = new Set(waiting);
    let notified = new Set<string>();
    yield changed.with(
      stage.body(function* (): Script {
        notified = new Set(waiting);
        changed.notifyAll();
      }),
    );
    yield* stage.settle();
    for (const name of before) holds(!waiting.has(name), `${name} goes on, which waited when all were notified`);
    if (stage.undisturbed())
      holds(woken === [2, 4][round] && notified.size === 2, `all that waited go on, and nobody else: ${woken}`);
  }
});

law("Condition.notify(n), wakes n, exactly when nobody is cancelled, at least when somebody is", function* (stage) {
  const changed = new Condition();
  const waiting = new Set<string>();
  let woken = 0;
  for (const name of ["A", "B", "C", "D"]) {
    stage.actor(name, function* () {
      yield changed.acquire();
      waiting.add(name);
      try {
        yield changed.wait();
        woken++;
      } finally {
        waiting.delete(name);
        changed.release();
      }
    });
  }
  yield* stage.settle();
  let notified = 0;
  for (const n of [1, 2, 1]) {
    yield changed.acquire();
    const asleep = waiting.size;
    changed.notify(n);
    changed.release();
    notified += Math.min(n, asleep);
    yield* stage.settle();
    // Whoever is cancelled may have been notified, and notifies another then; nobody else is woken without reason.
    if (stage.undisturbed()) holds(woken === notified, `${notified} were notified, and ${woken} woken`);
    else
      holds(
        woken >= notified - 1 && (woken >= notified || waiting.size === 0),
        `${notified} were notified, only ${woken} woken`,
      );
  }
  while (waiting.size > 0) {
    yield changed.acquire();
    changed.notifyAll();
    changed.release();
    yield* stage.settle();
  }
});

law("Condition.wait() under waitFor(), holds the lock however it ends, when notified as the time is over", function* (stage) {
  const lock = new Lock();
  const changed = new Condition(lock);
  const inside = new Inside(stage, lock, changed);
  let notes = 0;
  let woken = 0;
  let late = 0;
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      const body = stage.body(() =>
        inside.within(function* () {
          try {
            yield* inside.outside(function* () {
              yield waitFor(changed.wait(), 2);
            });
            woken++;
          } catch (error) {
            if (!(error instanceof TimeoutError)) throw error;
            late++;
          }
        }),
      );
      yield changed.with(body);
    });
  }
  stage.atEnd(() => {
    if (!stage.undisturbed()) return;
    holds(woken + late === 3, "each is woken or late");
    holds(woken >= Math.min(notes, 3 - late), `${notes} notifications, ${woken} woken, ${late} late`);
  });
  yield sleep(2);
  const note = stage.body(function* (): Script {
    notes++;
    changed.notify();
  });
  yield changed.with(note);
});
