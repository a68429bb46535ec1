import { createTask, Lock, sleep, type Task } from "tsyncio";
import { expect, test } from "vitest";
import { setProbe } from "../../src/kernel/probe.ts";
import { virtually } from "../support/virtual.ts";

test("the probe sees each task's birth, steps, waits, cancellation and end, while it is in its slot", async () => {
  const log: string[] = [];
  const note =
    (event: string) =>
    (task: Task<unknown>, what?: unknown): void => {
      if (task.name === "watched")
        log.push(
          what === undefined
            ? event
            : `${event} ${(what as { _waitsFor(): { describe(): string } } | null)?._waitsFor().describe() ?? "a turn"}`,
        );
    };

  await virtually(async () => {
    const lock = new Lock({ name: "db" });
    await lock.acquire();
    setProbe({
      created: note("created"),
      stepping: note("stepping"),
      stepped: note("stepped"),
      waits: note("waits"),
      cancelled: note("cancelled"),
      finished: note("finished"),
      bound: (primitive) => log.push(`bound ${(primitive as { describe(): string }).describe()}`),
      held: (source) => log.push(`held ${source.describe()}`),
    });
    const task = createTask(
      function* () {
        yield* sleep(0);
        yield* lock.acquire();
      },
      { name: "watched" },
    );
    await sleep(1);
    task.cancel();
    await task.join();
    setProbe(null);
    await createTask(sleep(1), { name: "watched" });
  });

  expect(log.map((line) => line.replace(/held by .*/, "held"))).toEqual([
    "created",
    "stepping",
    "waits a turn",
    "stepped",
    "stepping",
    "waits Lock 'db' held",
    "stepped",
    "cancelled",
    "stepping",
    "finished",
    "stepped",
  ]);
});
