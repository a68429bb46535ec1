/** The laws of timeout and moveOnAfter. */

import { isCancelled, Lock, moveOnAfter, shielded, sleep, type Timeout, TimeoutError, timeout } from "tsyncio";
import { holds, law, requests, type Script, Work } from "./scenario.ts";

law("timeout(), ends its own body and nothing else, nested in any way", function* (stage) {
  const work = new Work(stage);
  // The time that the work takes, and the limits from the outside in; some of them are over at the same time.
  for (const [name, duration, limits] of [
    ["inner", 9, [4, 2]],
    ["outer", 9, [2, 4]],
    ["equal", 9, [2, 2, 2]],
    ["even", 2, [3, 2]],
    ["none", 1, [3, 2]],
  ] as const) {
    stage.actor(name, function* () {
      const scopes: Timeout[] = [];
      const told: number[] = [];
      let finished = false;
      function* under(depth: number): Script {
        const limit = limits[depth];
        if (limit === undefined) {
          yield* work.run(duration, undefined);
          finished = true;
          return;
        }
        const body = stage.body(function* (scope: Timeout): Script {
          scopes[depth] = scope;
          yield* under(depth + 1);
        });
        try {
          yield timeout(limit, body);
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error;
          holds(error.scope === scopes[depth], "a TimeoutError tells of the scope that it comes from");
          holds(scopes[depth]?.expired() === true, "that scope has expired");
          holds(stage.t.now() >= limit, "nobody is late before it is time");
          told.push(depth);
          // The body's end is the end of it: whoever is around goes on, unless its time is over as well.
        }
      }
      yield* under(0);
      // Whoever gets here was not cancelled by anybody else: a TimeoutError never stands for a cancellation from outside.
      holds(requests() === 0, `no request is left, but ${requests()}`);
      holds(finished ? told.length <= limits.length : told.length >= 1, "it is finished or late");
      for (const depth of told) holds(scopes[depth]?.expired() === true, "who is late has expired");
      yield sleep(0);
      yield sleep(1);
    });
  }
});

law("moveOnAfter(), says whether it was late, and lets a cancellation from outside through", function* (stage) {
  const work = new Work(stage);
  for (const [name, duration, outer, inner] of [
    ["late", 5, 9, 2],
    ["both", 5, 2, 2],
    ["around", 5, 2, 9],
    ["even", 2, 9, 2],
    ["early", 1, 9, 9],
  ] as const) {
    stage.actor(name, function* () {
      let innermost: { timedOut: boolean; value: unknown } | undefined;
      let scope: Timeout | undefined;
      const body = stage.body(function* (): Script<string> {
        innermost = yield moveOnAfter(
          inner,
          stage.body(function* (given: Timeout): Script<string> {
            scope = given;
            return yield* work.run(duration, name);
          }),
        );
        return "went on";
      });
      const outermost: { timedOut: boolean; value: unknown } = yield moveOnAfter(outer, body);
      holds(requests() === 0, `no request is left, but ${requests()}`);
      holds(outermost.timedOut === (outermost.value === undefined), "there is a value or it was late");
      if (innermost !== undefined) {
        holds(innermost.timedOut === (innermost.value === undefined), "there is a value or it was late, inside");
        holds(!innermost.timedOut || scope?.expired() === true, "who is late has expired");
        if (inner > duration) holds(!innermost.timedOut, "whoever has time is not late");
      }
      if (outer > duration) holds(!outermost.timedOut, "whoever has time is not late");
      if (duration > Math.min(outer, inner)) holds(outermost.timedOut || innermost?.timedOut === true, "one of them was late");
      yield sleep(0);
      yield sleep(1);
    });
  }
});

law("Timeout.reschedule(), moves the deadline, when another task does it as the time is over", function* (stage) {
  const work = new Work(stage);
  const scopes = new Map<string, Timeout>();
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      const start = stage.t.now();
      let late = false;
      try {
        yield timeout(
          2,
          stage.body(function* (scope: Timeout): Script {
            scopes.set(name, scope);
            yield* work.run(5, undefined);
          }),
        );
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        late = true;
      }
      const deadline = scopes.get(name)?.when() ?? 0;
      holds(requests() === 0, "no request is left");
      holds(!late || stage.t.now() >= deadline, `late at ${stage.t.now()}, the deadline was ${deadline}`);
      holds(late || start + 5 <= deadline, `not late at ${stage.t.now()}, the deadline was ${deadline}`);
      yield sleep(1);
    });
  }
  yield sleep(2);
  for (const [index, scope] of [...scopes.values()].entries()) {
    if (!scope.expired() && String(scope).includes("active")) scope.reschedule(stage.t.now() + ([0, 2, 9][index] ?? 0));
  }
});

law("timeout() around a lock and a shielded region, holds nothing and cuts nothing short, when they meet", function* (stage) {
  const lock = new Lock();
  let begun = 0;
  let ended = 0;
  for (const name of ["A", "B", "C"]) {
    stage.actor(name, function* () {
      try {
        yield timeout(
          2,
          stage.body(function* (): Script {
            yield lock.with(
              stage.body(function* (): Script {
                try {
                  yield sleep(1);
                } finally {
                  begun++;
                  yield shielded(
                    stage.body(function* (): Script {
                      yield sleep(1);
                      yield sleep(0);
                      ended++;
                    }),
                  );
                }
              }),
            );
          }),
        );
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        holds(!isCancelled(error.cause) || requests() === 0, "no request is left");
      }
      yield sleep(0);
    });
  }
  stage.atEnd(() => {
    holds(!lock.locked(), "the lock is free at the end");
    holds(begun === ended, `${begun} regions began, and ${ended} ended`);
  });
});

law("timeout() in the cleanup of a task that is cancelled, ends its body and leaves the request as it was", function* (stage) {
  let cleanups = 0;
  function* cleanUp(): Script {
    cleanups++;
    const before = requests();
    let late = 0;
    const body = stage.body(function* (): Script {
      yield sleep(5);
      holds(false, "the time is over before");
    });
    try {
      yield timeout(1, body);
    } catch (error) {
      holds(error instanceof TimeoutError || requests() > before, "only a second cancellation ends the cleanup");
      if (!(error instanceof TimeoutError)) throw error;
      late++;
    }
    holds(late === 1 && requests() === before, `late, with ${before} requests as before, not ${requests()}`);
    try {
      const outcome: { timedOut: boolean } = yield moveOnAfter(1, body);
      holds(outcome.timedOut && requests() === before, `late again, with ${before} requests as before, not ${requests()}`);
    } catch (error) {
      holds(!isCancelled(error) || requests() > before, "only a second cancellation ends the cleanup");
      throw error;
    }
  }
  for (const name of ["A", "B"]) {
    stage.actor(name, function* () {
      try {
        yield sleep(1);
      } finally {
        yield* cleanUp();
      }
    });
  }
  stage.atEnd(() => holds(!stage.undisturbed() || cleanups === 2, "all have cleaned up"));
});
