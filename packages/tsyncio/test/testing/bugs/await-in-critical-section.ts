/**
 * Await in a critical section: money has left one account and not reached the other while the journal is awaited. Whoever looks
 * then sees too little.
 *
 * Not seen first come, first served: the auditor takes as long to get the books as the transfer takes to write its line, and asked
 * later.
 *
 * Mended: the journal is awaited first; both accounts change in one step.
 */

import assert from "node:assert/strict";
import { createTask, gather, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Bank {
  readonly accounts: Map<string, number> = new Map([
    ["ann", 100],
    ["bob", 100],
  ]);

  add(owner: string, amount: number): void {
    this.accounts.set(owner, (this.accounts.get(owner) ?? 0) + amount);
  }

  async note(_line: string): Promise<void> {
    await sleep("1ms");
  }

  async audit(): Promise<number> {
    await sleep("1ms"); // gets the books
    return [...this.accounts.values()].reduce((sum, each) => sum + each, 0);
  }
}

type Transfer = (bank: Bank, from: string, to: string, amount: number) => Promise<void>;

async function transferInTwoSteps(bank: Bank, from: string, to: string, amount: number): Promise<void> {
  bank.add(from, -amount);
  await bank.note(`${from} to ${to}: ${amount}`);
  bank.add(to, amount);
}

async function transferInOne(bank: Bank, from: string, to: string, amount: number): Promise<void> {
  await bank.note(`${from} to ${to}: ${amount}`);
  bank.add(from, -amount);
  bank.add(to, amount);
}

const transferAndAudit =
  (transfer: Transfer): TestBody =>
  async () => {
    const bank = new Bank();
    await gather(
      createTask(() => transfer(bank, "ann", "bob", 40), { name: "transfer" }),
      createTask(
        async () => {
          const sum = await bank.audit();
          assert.equal(sum, 200, `the audit finds ${sum} of 200`);
        },
        { name: "auditor" },
      ),
    );
  };

export const awaitInCriticalSection: Bug = {
  name: "await in critical section",
  runs: 10,
  decisions: 1,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: transferAndAudit(transferInTwoSteps),
  mended: transferAndAudit(transferInOne),
};
