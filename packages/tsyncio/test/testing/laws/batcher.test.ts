/** The laws of Batcher. */

import { Batcher, type BatcherOptions, sleep, TimeoutError, waitFor } from "tsyncio";
import { holds, law, type Script, type Stage } from "./scenario.ts";

/** What is asked for, and what was answered. */
class Desk {
  readonly batcher: Batcher<number, number>;
  readonly calls: (readonly number[])[] = [];
  /** How many callers want a key now. */
  readonly wanted = new Map<number, number>();
  running = 0;
  begun = 0;
  cleaned = 0;
  /** Callers that have asked, and how many of them have an answer. */
  asked = 0;
  answered = 0;
  readonly #stage: Stage;

  constructor(stage: Stage, options: BatcherOptions<number, number>, duration = 2) {
    this.#stage = stage;
    const { batcher, calls } = { batcher: this.#make(options, duration), calls: this.calls };
    this.batcher = batcher;
    stage.always(() => {
      holds(this.running <= (options.concurrency ?? Number.POSITIVE_INFINITY), `${this.running} calls at a time`);
      holds(
        calls.every((keys) => new Set(keys).size === keys.length && keys.length <= (options.maxSize ?? 99)),
        `each key once, and no more of them than may be: ${calls.join(" | ")}`,
      );
    });
    stage.atEnd(() => {
      const { waiting, running } = batcher.statistics();
      holds(waiting === 0 && running === 0, `nothing is left: ${batcher}`);
      holds(this.begun === this.cleaned, `of ${this.begun} calls, all are cleaned up, not ${this.cleaned}`);
      if (stage.undisturbed()) holds(this.answered === this.asked, `all of ${this.asked} are answered, not ${this.answered}`);
    });
  }

  #make(options: BatcherOptions<number, number>, duration: number): Batcher<number, number> {
    const desk = this;
    return new Batcher<number, number>(
      this.#stage.body(function* (keys: readonly number[]): Script<unknown> {
        desk.calls.push(keys);
        holds(
          keys.some((key) => (desk.wanted.get(key) ?? 0) > 0),
          `somebody wants one of ${keys}`,
        );
        desk.begun++;
        desk.running++;
        try {
          yield sleep(duration);
        } finally {
          try {
            yield sleep(0);
          } finally {
            desk.running--;
            desk.cleaned++;
          }
        }
        if (keys.includes(0)) throw new RangeError("zero");
        return keys.map((key) => (key < 0 ? new RangeError(`no ${key}`) : key * 10));
      }),
      options,
    );
  }

  *ask(key: number, load = (): Script<number> => this.#load(key)): Script {
    this.asked++;
    this.wanted.set(key, (this.wanted.get(key) ?? 0) + 1);
    try {
      const value = yield* load();
      holds(value === key * 10, `the value of ${key} is its own, not ${value}`);
      this.answered++;
    } catch (error) {
      if (this.callWasCancelled(error)) {
        this.answered++;
        return;
      }
      if (!(error instanceof RangeError)) throw error;
      const own = error.message === `no ${key}` || error.message === "zero";
      holds(own, `the error of ${key} is its own, not ${error.message}`);
      this.answered++;
    } finally {
      this.wanted.set(key, (this.wanted.get(key) as number) - 1);
    }
  }

  /** A run may cancel the task of a call: then all of its callers are told so. None is if a caller was cancelled. */
  callWasCancelled(error: unknown): boolean {
    const { code, cause } = error as { code?: unknown; cause?: { message?: unknown } };
    return code === "BATCH_CANCELLED" && cause?.message === "injected by the test";
  }

  *#load(key: number): Script<number> {
    return yield this.batcher.load(key);
  }

  actors(keys: readonly (readonly number[])[]): void {
    for (const [index, own] of keys.entries()) {
      this.#stage.actor("ABCDEF"[index] as string, () => this.#visit(index, own));
    }
  }

  *#visit(index: number, keys: readonly number[]): Script {
    yield sleep(index >> 1);
    for (const key of keys) yield* this.ask(key);
  }
}

const kinds: Record<string, BatcherOptions<number, number>> = {
  "what is ready": {},
  "a size": { maxSize: 2, maxWait: 3 },
  "an age and one call at a time": { maxWait: 1, concurrency: 1, maxSize: 3 },
  "a cache": { cache: true },
  "a cache, errors and one call at a time": { cache: true, cacheErrors: true, concurrency: 1 },
};

for (const [name, options] of Object.entries(kinds)) {
  law(`Batcher by ${name}, answers each caller with its own key's value, and leaves nothing behind`, function* (stage) {
    const desk = new Desk(stage, options);
    desk.actors([[1, 2], [1, -1], [2]]);
    yield sleep(1);
    yield desk.batcher.whenIdle();
  });
}

law("Batcher, makes one call of what is asked for while something is ready, in any order", function* (stage) {
  const desk = new Desk(stage, {});
  for (const [index, name] of ["A", "B", "C"].entries()) {
    stage.actor(name, function* () {
      for (let i = 0; i < index; i++) yield sleep(0);
      yield* desk.ask(index);
    });
  }
  stage.atEnd(() => {
    const { batches } = desk.batcher.statistics();
    if (stage.undisturbed()) holds(batches === 1, `one call, not ${batches}`);
  });
});

law("Batcher.loadMany(), answers all or throws, and gives up what it wants no more", function* (stage) {
  const desk = new Desk(stage, { maxSize: 2 });
  for (const [index, name] of ["A", "B", "C"].entries()) {
    const keys = [[1, 2, 3], [2, -1, 4], [3]][index] as number[];
    stage.actor(name, function* () {
      desk.asked++;
      for (const key of keys) desk.wanted.set(key, (desk.wanted.get(key) ?? 0) + 1);
      try {
        const values: number[] = yield desk.batcher.loadMany(keys);
        holds(values.join() === keys.map((key) => key * 10).join(), `the values of ${keys}, not ${values}`);
        desk.answered++;
      } catch (error) {
        const told = desk.callWasCancelled(error);
        if (!told && !(error instanceof RangeError)) throw error;
        holds(told || keys.includes(-1), `it has a key that fails: ${keys}`);
        desk.answered++;
      } finally {
        for (const key of keys) desk.wanted.set(key, (desk.wanted.get(key) as number) - 1);
      }
    });
  }
  yield sleep(1);
  yield desk.batcher.whenIdle();
});

law("Batcher.load() under waitFor(), ends in time, with the call when nobody else wants it", function* (stage) {
  const desk = new Desk(stage, {}, 3);
  for (const [index, name] of ["A", "B"].entries()) {
    stage.actor(name, function* () {
      yield sleep(index);
      try {
        yield* desk.ask(1, function* () {
          return yield waitFor(desk.batcher.load(1), 2);
        });
      } catch (error) {
        if (!(error instanceof TimeoutError)) throw error;
        desk.answered++;
      }
    });
  }
});
