/** The laws of Barrier. */

import { Barrier, BrokenBarrierError, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage, same } from "./scenario.ts";

law("Barrier.wait(), lets a generation go when all of it have arrived, round after round", function* (stage) {
  const barrier = new Barrier(3);
  const arrived = [0, 0, 0];
  const passed: number[][] = [[], [], []];
  stage.always(() => {
    for (const [round, positions] of passed.entries()) {
      holds(positions.length === 0 || arrived[round] === 3, `nobody leaves round ${round} before all have arrived`);
      holds(
        round === 0 || (arrived[round] ?? 0) <= (passed[round - 1]?.length ?? 0),
        `whoever is in round ${round} has left the one before`,
      );
    }
    holds(barrier.nWaiting < 3, "three do not wait while it fills");
  });
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      for (let round = 0; round < 3; round++) {
        try {
          const before = arrived[round] ?? 0;
          arrived[round] = before + 1;
          const position = yield barrier.wait();
          // Later ones may have to wait for the round before to end, and come in as they are woken.
          holds(round > 0 || position === before, `the position is the order of arrival, ${before}, not ${position}`);
          passed[round]?.push(position);
        } catch (error) {
          if (error instanceof BrokenBarrierError) return;
          throw error;
        }
        yield sleep(0);
      }
    });
  }
  yield* stage.settle();
  if (stage.undisturbed()) holds(barrier.nWaiting === 0 && !barrier.broken, "it is as new at the end");
  // Without one that is cancelled, the others would wait for ever.
  yield barrier.abort();
  stage.atEnd(() => {
    for (const [round, positions] of passed.entries()) {
      if (positions.length === 3) same([...positions].sort(), [0, 1, 2], `the positions in round ${round}`);
      if (stage.undisturbed()) holds(positions.length === 3, `all pass round ${round}`);
    }
  });
});

law("Barrier.wait(), lets them go in twos, when more come than it holds and one of them is cancelled", function* (stage) {
  const barrier = new Barrier(2);
  const waiting = new Set<string>();
  const positions: number[] = [];
  let alone = 0;
  for (const [index, name] of ["A", "B", "C", "D", "E"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index >> 1);
      waiting.add(name);
      try {
        positions.push(yield barrier.wait());
      } catch (error) {
        if (!(error instanceof BrokenBarrierError)) throw error;
        alone++;
      } finally {
        waiting.delete(name);
      }
    });
  }
  const check = (): void => {
    holds(waiting.size <= 1, `two do not wait for each other, but ${[...waiting]}`);
    holds(barrier.nWaiting === waiting.size, `nWaiting is ${waiting.size}`);
  };
  for (let i = 0; i < 3; i++) {
    yield* stage.settle();
    check();
    yield sleep(1);
  }
  yield barrier.abort();
  yield* stage.watch(() => holds(waiting.size === 0, "nobody waits at a broken barrier"));
  const firsts = positions.filter((position) => position === 0).length;
  const seconds = positions.filter((position) => position === 1).length;
  holds(firsts + seconds === positions.length, "positions are 0 and 1");
  if (stage.undisturbed())
    holds(firsts === 2 && seconds === 2 && alone === 1, `two pairs and one alone, but ${positions} and ${alone}`);
  // Of a pair that has been let go, one may be cancelled before it leaves; the other leaves all the same.
  else holds(Math.abs(firsts - seconds) <= 1, `pairs, of which one may lack a half, but ${positions}`);
});

/** Two generations, of which the first is given up while it waits. */
function* giveUp(stage: Stage, barrier: Barrier, names: readonly string[], end: () => Script): Script<Map<string, string>> {
  const outcomes = new Map<string, string>();
  for (const name of names) {
    stage.actor(name, function* () {
      try {
        outcomes.set(name, `passed ${yield barrier.wait()}`);
      } catch (error) {
        if (!(error instanceof BrokenBarrierError)) throw error;
        outcomes.set(name, "broken");
      }
    });
  }
  yield* stage.settle();
  yield* end();
  return outcomes;
}

law("Barrier.reset(), breaks those that wait and nobody who comes later", function* (stage) {
  const barrier = new Barrier(3);
  function* arrive(name: string): Script {
    stage.actor(name, function* () {
      try {
        const position = yield barrier.wait();
        holds(name !== "A" && name !== "B", `${name} came before the reset, and does not pass`);
        later.push(position);
      } catch (error) {
        if (!(error instanceof BrokenBarrierError)) throw error;
        holds(name === "A" || name === "B" || aborted, `${name} came after the reset, which does not concern it`);
        broken++;
      }
    });
    yield sleep(0);
  }
  const later: number[] = [];
  let broken = 0;
  let aborted = false;
  yield* arrive("A");
  yield* arrive("B");
  yield* stage.settle();
  yield barrier.reset();
  // They arrive while those of before may be on their way out.
  for (const name of ["C", "D", "E"]) yield* arrive(name);
  yield* stage.settle();
  if (stage.undisturbed()) {
    holds(broken === 2, `two were waiting and are broken, not ${broken}`);
    same([...later].sort(), [0, 1, 2], "the positions after the reset");
    holds(barrier.nWaiting === 0 && !barrier.broken, "it is as new");
  }
  aborted = true;
  yield barrier.abort();
});

law("Barrier.abort(), breaks all that wait and come, until it is reset", function* (stage) {
  const barrier = new Barrier(4);
  const outcomes = yield* giveUp(stage, barrier, ["A", "B", "C"], function* () {
    yield barrier.abort();
    holds(barrier.broken, "it is broken");
  });
  let refused = false;
  try {
    yield barrier.wait();
  } catch (error) {
    if (!(error instanceof BrokenBarrierError)) throw error;
    refused = true;
  }
  holds(refused, "whoever comes to a broken barrier is refused");
  yield* stage.settle();
  for (const actor of stage.actors) holds(actor.done(), `${actor.name} does not wait at a broken barrier`);
  for (const [name, outcome] of outcomes) holds(outcome === "broken", `${name} is broken, not ${outcome}`);
  yield barrier.reset();
  holds(!barrier.broken && barrier.nWaiting === 0, "a reset mends it");
});

law(
  "Barrier.wait() under waitFor(), is as if it had not arrived, when the time is over before the last one arrives",
  function* (stage) {
    const barrier = new Barrier(3);
    let passed = 0;
    let late = 0;
    for (const [index, name] of ["A", "B", "C"].entries()) {
      stage.actor(name, function* () {
        yield sleep(index);
        try {
          yield waitFor(barrier.wait(), 2);
          passed++;
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          late++;
        }
      });
    }
    stage.atEnd(() => {
      holds(barrier.nWaiting === 0, `nobody is left at ${barrier}`);
      // The first one's time is over when the last one comes: whoever of the two acts first decides.
      if (stage.undisturbed()) holds(passed + late === 3 && (late === 3 || passed >= 2), `${passed} pass and ${late} are late`);
    });
  },
);
