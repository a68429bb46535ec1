/**
 * Check, then act: whoever finds no connection opens one, but until it is open others find none either.
 *
 * Not seen first come, first served: the server warms the connection up when it starts, and the first request is read for as long
 * as connecting takes; the connection is there just in time.
 *
 * Mended: a lock is held from the check until the connection is there.
 */

import assert from "node:assert/strict";
import { type Coroutine, createTask, gather, Lock, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Database {
  opened = 0;

  *open(): Coroutine<string> {
    yield* sleep("5ms");
    return `connection ${++this.opened}`;
  }
}

abstract class Server {
  readonly database = new Database();
  protected connection: string | null = null;

  abstract connect(): Coroutine<string>;

  *request(): Coroutine<string> {
    yield* sleep("5ms"); // it arrives
    return `answered over ${yield* this.connect()}`;
  }
}

class CarelessServer extends Server {
  override *connect(): Coroutine<string> {
    if (this.connection === null) this.connection = yield* this.database.open();
    return this.connection;
  }
}

class LockingServer extends Server {
  readonly #connecting = new Lock({ name: "connecting" });

  override *connect(): Coroutine<string> {
    const server = this;
    return yield* this.#connecting.with(function* () {
      server.connection ??= yield* server.database.open();
      return server.connection;
    });
  }
}

const startAndServe = (make: () => Server): TestBody =>
  function* () {
    const server = make();
    yield* gather(createTask(server.connect(), { name: "warm-up" }), createTask(server.request(), { name: "first request" }));
    assert.equal(server.database.opened, 1, `${server.database.opened} connections were opened`);
  };

export const checkThenAct: Bug = {
  name: "check, then act",
  runs: 10,
  decisions: 1,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: startAndServe(() => new CarelessServer()),
  mended: startAndServe(() => new LockingServer()),
};
