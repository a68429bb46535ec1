/** The laws of Future with several who wait for it. */

import { Future, isCancelled, shield, sleep, type Task, TimeoutError, timeout, wait } from "tsyncio";
import { holds, law, requests, type Script, same } from "./scenario.ts";

law("Future.setResult(), wakes all that wait, with one value", function* (stage) {
  const future = new Future<object>();
  const value = {};
  const outcomes: string[] = [];
  const called: number[] = [];
  const arrived: string[] = [];
  const woken: string[] = [];
  for (let i = 0; i < 3; i++) future.addDoneCallback(() => called.push(i));
  for (const name of ["A", "B", "C", "D"]) {
    stage.actor(name, function* () {
      arrived.push(name);
      try {
        const found = yield future;
        holds(found === value, "all get the value itself");
        outcomes.push("value");
        woken.push(name);
      } catch (error) {
        // As in asyncio, whoever is cancelled while it awaits a future cancels that, and with it all that wait for it.
        holds(isCancelled(error) && (requests() > 0 || future.cancelled()), "it is cancelled, or else the future is");
        outcomes.push("cancelled");
        if (requests() > 0) throw error;
      }
    });
  }
  yield* stage.settle();
  if (!future.done()) future.setResult(value);
  yield* stage.settle();
  for (const actor of stage.actors) holds(actor.done(), `${actor.name} does not wait for what is done`);
  same(called, [0, 1, 2], "the callbacks called");
  const cancelled = outcomes.filter((each) => each === "cancelled").length;
  if (!future.cancelled()) holds(cancelled <= 1, "of those woken, only one that is cancelled itself gets no value");
  if (stage.inOrder)
    same(
      woken,
      arrived.filter((each) => woken.includes(each)),
      "those woken",
    );
});

law("Future.setException(), throws one error in all that wait, and is not reported", function* (stage) {
  const future = new Future<void>();
  const failure = new RangeError("broken");
  let caught = 0;
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      yield sleep(name === "C" ? 1 : 0);
      // (Behind a shield, one that is cancelled would have the error reported: nobody may look at it any more.)
      yield wait([future]);
      try {
        yield future;
      } catch (error) {
        if (requests() > 0) throw error;
        holds(error === failure, "all get the error itself");
        caught++;
      }
    });
  }
  yield* stage.settle();
  holds(!future.done(), "who is cancelled in wait() does not cancel the future");
  future.setException(failure);
  yield* stage.settle();
  // Whoever has been cancelled meanwhile may have been the only one who would have looked.
  holds(future.exception() === failure, "the error is there");
  yield sleep(1);
  yield* stage.settle();
  if (stage.undisturbed()) holds(caught === 3, `all have caught it, not ${caught}`);
});

law(
  "Future behind shield(), reaches all that are neither cancelled nor late, when it is set as the time is over",
  function* (stage) {
    const future = new Future<string>();
    const outcomes = new Map<string, string>();
    const actors: Task<unknown>[] = [];
    for (const [name, limit] of [
      ["A", 9],
      ["B", 2],
      ["C", 1],
      ["D", 2],
    ] as const) {
      const actor = stage.actor(name, function* () {
        try {
          const body = stage.body(function* (): Script<string> {
            return yield shield(future);
          });
          outcomes.set(name, yield timeout(limit, body));
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          outcomes.set(name, "late");
        }
      });
      actors.push(actor);
    }
    yield sleep(2);
    future.setResult("set");
    yield* stage.settle();
    for (const actor of actors) {
      const { name } = actor;
      if (actor.cancelled()) continue;
      const allowed = name === "A" ? ["set"] : name === "C" ? ["late"] : ["set", "late"];
      holds(actor.done() && allowed.includes(outcomes.get(name) as string), `${name}: ${outcomes.get(name)}`);
    }
  },
);
