/** The laws of Event. */

import { Event, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

/** Waits for an event, and checks that it was let through rightly. */
class Gate {
  readonly event = new Event();
  readonly waiting = new Set<string>();
  readonly arrived: string[] = [];
  readonly passed: string[] = [];
  #sets = 0;

  constructor(stage: Stage) {
    stage.atEnd(() => holds(!String(this.event).includes("waiters"), `nobody waits at the end: ${this.event}`));
  }

  set(): void {
    this.#sets++;
    this.event.set();
  }

  *pass(name: string): Script {
    const open = this.event.isSet();
    const sets = this.#sets;
    this.arrived.push(name);
    this.waiting.add(name);
    try {
      const value = yield this.event.wait();
      holds(value === true, "wait() gives true");
      holds(open || this.#sets > sets, "whoever passes found it set, or it has been set since");
    } finally {
      this.waiting.delete(name);
    }
    this.passed.push(name);
  }

  /** Whoever waited when it was set is let through, even if it was cleared at once. */
  readonly check = (before: ReadonlySet<string>): void => {
    for (const name of before) holds(!this.waiting.has(name), `${name} goes on, which waited when it was set`);
  };
}

/** Lets actors wait in two waves, and sets and clears the event. */
function* waves(stage: Stage, gate: Gate, names: readonly string[]): Script {
  for (const [index, name] of names.entries()) {
    stage.actor(name, function* () {
      yield sleep(index % 2);
      yield* gate.pass(`${name}1`);
      yield* gate.pass(`${name}2`);
    });
  }
  for (let round = 0; round < 4; round++) {
    yield* stage.settle();
    const before = new Set(gate.waiting);
    gate.set();
    if (round < 3) gate.event.clear();
    yield* stage.settle();
    gate.check(before);
    yield sleep(1);
  }
}

law("Event.set(), lets all through that wait, when it is cleared in the same step", function* (stage) {
  const gate = new Gate(stage);
  yield* waves(stage, gate, ["A", "B", "C", "D"]);
});

law("Event.wait(), lets nobody wait while it is set, when tasks come, set and clear at any time", function* (stage) {
  const gate = new Gate(stage);
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      yield sleep(0);
      yield* gate.pass(name);
    });
  }
  stage.actor("setter", function* () {
    for (let i = 0; i < 3; i++) {
      gate.set();
      yield sleep(0);
      gate.event.clear();
      yield sleep(0);
    }
  });
  yield* stage.watch(() => {
    if (gate.event.isSet()) holds(gate.waiting.size === 0, `nobody waits while it is set, but ${[...gate.waiting]}`);
    else gate.set();
  });
});

law("Event.set(), wakes in order of arrival, when whoever is ready first runs first", function* (stage) {
  const gate = new Gate(stage);
  for (const name of ["A", "B", "C", "D"]) {
    stage.actor(name, function* () {
      yield* gate.pass(name);
    });
  }
  stage.atEnd(() => {
    const expected = gate.arrived.filter((each) => gate.passed.includes(each));
    if (stage.inOrder) same(gate.passed, expected, "those that pass");
  });
  yield* stage.settle();
  gate.set();
  yield* stage.watch(() => holds(gate.waiting.size === 0, "all pass"));
});

law("Event.wait() under waitFor(), is late or passes, when it is set as the time is over", function* (stage) {
  const gate = new Gate(stage);
  let late = 0;
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      try {
        yield waitFor(
          stage.body(function* (): Script {
            yield* gate.pass(name);
          }),
          2,
        );
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        late++;
      }
    });
  }
  stage.atEnd(() => {
    if (stage.undisturbed()) holds(gate.passed.length + late === 3, "each passes or is late");
  });
  yield sleep(2);
  gate.set();
  yield* stage.watch(() => holds(gate.waiting.size === 0, "nobody waits any more"));
});
