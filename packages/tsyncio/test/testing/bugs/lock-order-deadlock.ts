/**
 * Lock order: two transfers between the same accounts, in opposite directions, each lock the account they take from first. When each
 * has one lock, neither gets the other.
 *
 * Not seen first come, first served: the second transfer looks up its fee first, and by then the first one has both locks.
 *
 * Mended: accounts are locked in the order of their numbers, whichever way the money goes.
 */

import assert from "node:assert/strict";
import { type Coroutine, createTask, gather, Lock, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Account {
  readonly lock: Lock;
  balance = 100;
  readonly number: number;

  constructor(number: number) {
    this.number = number;
    this.lock = new Lock({ name: `account ${number}` });
  }

  /** A look at the limit, which is kept elsewhere. */
  *allows(amount: number): Coroutine<boolean> {
    yield* sleep(0);
    return this.balance >= amount;
  }
}

type LockOrder = (from: Account, to: Account) => readonly [Account, Account];
const asGiven: LockOrder = (from, to) => [from, to];
const byNumber: LockOrder = (from, to) => (from.number < to.number ? [from, to] : [to, from]);

function* transfer(order: LockOrder, from: Account, to: Account, amount: number): Coroutine<void> {
  const [first, second] = order(from, to);
  yield* first.lock.with(function* () {
    if (!(yield* from.allows(amount))) return;
    yield* second.lock.with(function* () {
      from.balance -= amount;
      to.balance += amount;
    });
  });
}

const thereAndBack = (order: LockOrder): TestBody =>
  function* () {
    const [a, b] = [new Account(1), new Account(2)];
    function* transferForFee(): Coroutine<void> {
      yield* sleep(0); // looks up the fee
      yield* transfer(order, b, a, 20);
    }
    yield* gather(
      createTask(transfer(order, a, b, 30), { name: "from 1 to 2" }),
      createTask(transferForFee(), { name: "from 2 to 1" }),
    );
    assert.deepEqual([a.balance, b.balance], [90, 110]);
  };

export const lockOrderDeadlock: Bug = {
  name: "lock-order deadlock",
  runs: 10,
  decisions: 1,
  fails: ["DeadlockError", "DEADLOCK"],
  buggy: thereAndBack(asGiven),
  mended: thereAndBack(byNumber),
};
