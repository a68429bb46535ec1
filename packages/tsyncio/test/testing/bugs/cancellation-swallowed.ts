/**
 * Cancellation swallowed: a client that tries again after any error takes its cancellation for one more, and goes on.
 *
 * Not seen first come, first served: nobody is cancelled. `explore` cancels with the option `cancel`, `cancelEverywhere` always.
 *
 * Mended: a CancelledError is thrown on.
 */

import { createTask, gather, isCancelled, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

/** A server that is overloaded at first. */
class Server {
  #requests = 0;

  async get(path: string): Promise<string> {
    await sleep("10ms");
    if (++this.#requests === 1) throw new Error("503");
    return `contents of ${path}`;
  }
}

type GiveUp = (error: unknown) => boolean;

async function fetchPatiently(server: Server, path: string, giveUp: GiveUp): Promise<string> {
  for (let pause = 100; ; pause *= 2) {
    try {
      return await server.get(path);
    } catch (error) {
      if (giveUp(error)) throw error;
    }
    await sleep(pause);
  }
}

const fetchTwo =
  (giveUp: GiveUp): TestBody =>
  async () => {
    const server = new Server();
    const fetch = (path: string) => createTask(() => fetchPatiently(server, path, giveUp), { name: `fetch ${path}` });
    await gather(fetch("/a"), fetch("/b"));
  };

export const cancellationSwallowed: Bug = {
  name: "cancellation swallowed",
  runs: 30,
  decisions: 1,
  fails: ["ProblemError", "SWALLOWED_CANCELLATION"],
  cancel: true,
  buggy: fetchTwo(() => false),
  mended: fetchTwo((error) => isCancelled(error)),
};
