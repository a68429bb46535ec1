import {
  Context,
  ContextVar,
  type Coroutine,
  copyContext,
  createTask,
  currentTask,
  EventLoop,
  Future,
  gather,
  getRunningLoop,
  Runner,
  RuntimeError,
  shield,
  shielded,
  sleep,
  type Task,
  taskGroup,
  timeout,
  waitFor,
} from "tsyncio";
import { expect, test } from "vitest";
import { runVirtual, virtually } from "../support/virtual.ts";

test("ContextVar.get() gives the value, else the fallback, else the default, else RangeError", () => {
  copyContext().run(() => {
    const bare = new ContextVar<string>("bare");
    const defaulted = new ContextVar("defaulted", { default: "default" });

    expect(() => bare.get()).toThrow(RangeError);
    expect(() => bare.get()).toThrow("bare");
    expect(bare.get("fallback")).toBe("fallback");
    expect(defaulted.get()).toBe("default");
    expect(defaulted.get("fallback")).toBe("fallback");
    bare.set("value");
    expect(bare.get("fallback")).toBe("value");
    expect(String(bare)).toContain("bare");
  });
});

test("ContextVar keeps undefined and null as values", () => {
  copyContext().run(() => {
    const variable = new ContextVar<unknown>("variable", { default: "default" });

    variable.set(undefined);

    expect(variable.get("fallback")).toBeUndefined();
  });
});

test("ContextVar.reset() restores the value before its set(), or none", () => {
  copyContext().run(() => {
    const variable = new ContextVar<number>("variable");
    const first = variable.set(1);
    const second = variable.set(2);

    expect([first.oldValue, second.oldValue]).toEqual([undefined, 1]);
    variable.reset(second);
    expect(variable.get()).toBe(1);
    variable.reset(first);
    expect(variable.get(0)).toBe(0);
  });
});

test("ContextVar.reset() throws, when the token was used or is another variable's", () => {
  copyContext().run(() => {
    const variable = new ContextVar<number>("variable");
    const other = new ContextVar<number>("other");
    const token = variable.set(1);

    expect(() => other.reset(token)).toThrow(RangeError);
    variable.reset(token);
    expect(() => variable.reset(token)).toThrow(RuntimeError);
    expect(() => variable.reset({} as never)).toThrow(TypeError);
  });
});

test("a token of set() undoes it at the end of a using declaration", () => {
  copyContext().run(() => {
    const variable = new ContextVar("variable", { default: "outside" });
    const seen: string[] = [];
    {
      using _ = variable.set("inside");
      seen.push(variable.get());
    }
    seen.push(variable.get());

    expect(seen).toEqual(["inside", "outside"]);
  });
});

test("Context.run() keeps what is set to itself and gives back what the function returns", () => {
  const variable = new ContextVar("variable", { default: "outside" });
  const context = new Context();

  const result = context.run((add: number) => {
    variable.set("inside");
    return 1 + add;
  }, 2);

  expect(result).toBe(3);
  expect(variable.get()).toBe("outside");
  expect(context.get(variable)).toBe("inside");
  expect([context.has(variable), context.size, [...context]]).toEqual([true, 1, [[variable, "inside"]]]);
  expect(context.run(() => variable.get())).toBe("inside");
});

test("Context.run() restores the context, when the function throws", () => {
  const variable = new ContextVar("variable", { default: "outside" });
  const context = new Context();

  expect(() =>
    context.run(() => {
      variable.set("inside");
      throw new Error("broken");
    }),
  ).toThrow("broken");

  expect(variable.get()).toBe("outside");
  expect(context.run(() => variable.get())).toBe("inside");
});

test("Context.run() throws RuntimeError, when the context is entered already", () => {
  const context = new Context();

  expect(() => context.run(() => context.run(() => {}))).toThrow(RuntimeError);
});

test("Context.run() throws RuntimeError, when it is the context of the running task or callback", async () => {
  const seen = await virtually(function* () {
    const context = copyContext();
    const enter = () => context.run(() => "entered");
    const refused = (): boolean => {
      try {
        enter();
        return false;
      } catch (error) {
        return error instanceof RuntimeError;
      }
    };
    const inTask = yield* createTask(
      function* () {
        return refused();
      },
      { context },
    );
    const future = new Future<void>();
    const inCallback: boolean[] = [];
    future.addDoneCallback(() => inCallback.push(refused()), { context });
    future.setResult();
    yield* sleep(0);
    return [inTask, inCallback, enter()];
  });

  expect(seen).toEqual([true, [true], "entered"]);
});

test("Context.copy() and copyContext() part from the original", () => {
  const variable = new ContextVar("variable", { default: 0 });
  const original = new Context();
  original.run(() => variable.set(1));

  const copy = original.copy();
  copy.run(() => variable.set(2));
  const inside = original.run(() => copyContext());
  original.run(() => variable.set(3));

  expect([original.get(variable), copy.get(variable), inside.get(variable)]).toEqual([3, 2, 1]);
});

for (const spelling of ["function*", "async"] as const) {
  test(`a task starts with a copy of its maker's values, and its own go no further, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const variable = new ContextVar("variable", { default: "none" });
      variable.set("maker");
      const found: string[] = [];
      const task = createTask(
        spelling === "function*"
          ? function* () {
              found.push(variable.get());
              variable.set("task");
              yield* sleep(2);
              found.push(variable.get());
            }
          : async () => {
              found.push(variable.get());
              variable.set("task");
              await sleep(2);
              found.push(variable.get());
              await Promise.resolve();
              variable.set("after a promise");
              await Promise.resolve();
              found.push(variable.get());
            },
      );
      variable.set("changed after the start");
      yield* sleep(1);
      found.push(variable.get());
      yield* task;
      found.push(variable.get());
      return found;
    });

    const own = spelling === "async" ? ["task", "after a promise"] : ["task"];
    expect(seen).toEqual(["maker", "changed after the start", ...own, "changed after the start"]);
  });

  test(`two tasks do not see each other's values, when they take turns, ${spelling}`, async () => {
    const seen = await virtually(function* () {
      const variable = new ContextVar("variable", { default: -1 });
      const generator = (value: number) =>
        function* () {
          const found = [variable.get()];
          variable.set(value);
          for (let i = 0; i < 3; i++) {
            yield* sleep(i % 2);
            found.push(variable.get());
            variable.set(variable.get() + 10);
          }
          return found;
        };
      const asynchronous = (value: number) => async () => {
        const found = [variable.get()];
        variable.set(value);
        for (let i = 0; i < 3; i++) {
          await (i === 1 ? Promise.resolve() : sleep(i % 2));
          found.push(variable.get());
          variable.set(variable.get() + 10);
        }
        return found;
      };
      const make = spelling === "function*" ? generator : asynchronous;
      return yield* gather(createTask(make(1) as never), createTask(make(2) as never));
    });

    expect(seen).toEqual([
      [-1, 1, 11, 21],
      [-1, 2, 12, 22],
    ]);
  });

  test(`waitFor(), timeout() and shielded() share the context of the caller, ${spelling}`, async () => {
    const variable = new ContextVar("variable", { default: 0 });
    const generator = function* () {
      yield* waitFor(
        (function* () {
          yield* sleep(1);
          variable.set(variable.get() + 1);
        })(),
        100,
      );
      yield* timeout(100, function* () {
        yield* sleep(1);
        variable.set(variable.get() + 10);
      });
      yield* shielded(function* () {
        yield* sleep(1);
        variable.set(variable.get() + 100);
      });
      return variable.get();
    };
    const asynchronous = async (): Promise<number> => {
      const add = (amount: number) => async () => {
        await sleep(1);
        variable.set(variable.get() + amount);
      };
      await waitFor(add(1), 100);
      await timeout(100, add(10));
      await shielded(add(100));
      return variable.get();
    };

    expect(await virtually<number>(spelling === "function*" ? generator : asynchronous)).toBe(111);
  });
}

test("createTask() runs in the given context, which keeps what the task sets", async () => {
  const seen = await virtually(function* () {
    const variable = new ContextVar("variable", { default: "none" });
    const context = new Context();
    context.run(() => variable.set("given"));
    const found: string[] = [];
    const first = createTask(
      function* () {
        found.push(variable.get());
        variable.set("first");
        yield* sleep(1);
        found.push(variable.get());
      },
      { context },
    );
    yield* first;
    const second = createTask(
      async () => {
        found.push(variable.get());
        await sleep(1);
        variable.set("second");
      },
      { context },
    );
    yield* second;
    return [...found, context.get(variable), variable.get()];
  });

  expect(seen).toEqual(["given", "first", "first", "second", "none"]);
});

test("two tasks that share a context see each other's values", async () => {
  const seen = await virtually(function* () {
    const variable = new ContextVar("variable", { default: "none" });
    const context = copyContext();
    const writer = createTask(
      function* () {
        yield* sleep(1);
        variable.set("written");
      },
      { context },
    );
    const reader = createTask(
      function* () {
        yield* sleep(2);
        return variable.get();
      },
      { context },
    );
    yield* writer;
    return yield* reader;
  });

  expect(seen).toBe("written");
});

test("task.getContext() is the task's own, also from outside", async () => {
  const seen = await virtually(function* () {
    const variable = new ContextVar("variable", { default: "none" });
    const task = createTask(function* () {
      variable.set("mine");
      yield* sleep(1);
      const me = currentTask() as Task<unknown>;
      const context = me.getContext();
      variable.set("later");
      return [context === me.getContext(), context.get(variable)];
    });
    yield* sleep(0);
    const outside = task.getContext().get(variable);
    return [outside, ...(yield* task), task.getContext().get(variable)];
  });

  expect(seen).toEqual(["mine", true, "later", "later"]);
});

test("task.getContext() is the context given to createTask()", async () => {
  await virtually(function* () {
    const context = new Context();
    const task = createTask(sleep(0), { context });
    expect(task.getContext()).toBe(context);
    yield* task;
  });
});

test("callSoon(), callLater() and done callbacks run in the context of their registration", async () => {
  const seen = await virtually(function* () {
    const variable = new ContextVar("variable", { default: "none" });
    const loop = getRunningLoop();
    const found: string[] = [];
    const look = (name: string) => () => {
      found.push(`${name} ${variable.get()}`);
      variable.set("of a callback");
    };
    const future = new Future<void>();
    variable.set("registered");
    loop.callSoon(look("soon"));
    loop.callLater(1, look("later"));
    future.addDoneCallback(look("done"));
    variable.set("after");
    future.setResult();
    yield* sleep(2);
    return [...found, variable.get()];
  });

  expect(seen).toEqual(["soon registered", "done registered", "later registered", "after"]);
});

test("children of a TaskGroup and jobs of gather() start with the values of their maker", async () => {
  const seen = await virtually(async () => {
    const variable = new ContextVar("variable", { default: "none" });
    const read = async (): Promise<string> => {
      await sleep(1);
      return variable.get();
    };
    variable.set("maker");
    const gathered = await gather(read, read);
    const grouped = await taskGroup(async (group) => {
      variable.set("body");
      return await group.createTask(read);
    });
    return [...gathered, grouped, variable.get()];
  });

  expect(seen).toEqual(["maker", "maker", "body", "body"]);
});

test("a task that never touches a variable of its maker's keeps no context of its own", async () => {
  const { result } = await runVirtual(function* () {
    const task = createTask(sleep(0));
    const slot = (task as unknown as { _context: unknown })._context;
    yield* task;
    return slot;
  });

  expect(result).toBeNull();
});

test("all runs of a Runner share one context", async () => {
  const variable = new ContextVar("variable", { default: 0 });
  await using runner = new Runner({ loop: new EventLoop(), signals: [] });
  const add = function* () {
    variable.set(variable.get() + 1);
    yield* sleep(0);
    return variable.get();
  };

  expect([await runner.run(add), await runner.run(add)]).toEqual([1, 2]);
  expect(variable.get()).toBe(0);
});

test("ContextVar.reset() throws RangeError and leaves the token usable, when the token was made in another context", async () => {
  const variable = new ContextVar("v", { default: 0 });

  for (const spelling of ["function*", "async"] as const) {
    const seen = await virtually(function* () {
      const token = variable.set(1);
      const steal = (): unknown[] => {
        expect(() => variable.reset(token)).toThrow(RangeError);
        return [variable.get()];
      };
      const other =
        spelling === "async"
          ? createTask(async () => {
              await sleep(0);
              return steal();
            })
          : createTask(function* () {
              yield* sleep(0);
              return steal();
            });
      const inTask = yield* other;
      const inCallback = new Future<unknown[]>();
      getRunningLoop().callSoon(() => inCallback.setResult(steal()));
      const called = yield* inCallback;
      variable.reset(token);
      return [inTask, called, variable.get()];
    });

    expect(seen).toEqual([[1], [1], 0]);
  }
});

test("ContextVar.reset() works, when the task's context was asked for between set() and reset(), and after an await", async () => {
  const variable = new ContextVar("v", { default: 0 });
  const seen = await virtually(async () => {
    const token = variable.set(1);
    const context = currentTask()?.getContext();
    await sleep(0);
    const before = [variable.get(), context?.get(variable)];
    variable.reset(token);
    return [...before, variable.get(), context?.has(variable)];
  });

  expect(seen).toEqual([1, 1, 0, false]);
});

test.each([
  ["a shielded job fails when nobody waits any more", "shield"],
  ["it is called with a task", "direct"],
  ["a task that is left fails at the program's end", "shutdown"],
])("the exception handler runs in the context of the task that it is told about, when %s", async (_, how) => {
  const variable = new ContextVar("v", { default: 0 });
  const seen: unknown[] = [];
  const prepare = (loop: EventLoop): void => loop.setExceptionHandler(() => seen.push(variable.get()));
  await runVirtual(
    function* () {
      function* inner(): Coroutine<void> {
        variable.set(9);
        try {
          yield* sleep(how === "shutdown" ? 50 : 1);
        } catch {
          // Cancelled at the end of the program.
        }
        if (how !== "direct") throw new RangeError("late");
      }
      const task = createTask(inner);
      if (how === "shield") {
        const outer = shield(task);
        yield* sleep(0);
        outer.cancel();
      }
      yield* sleep(2);
      if (how === "direct") getRunningLoop().callExceptionHandler({ message: "told", task });
    },
    { prepare },
  );

  expect(seen).toEqual([9]);
});
