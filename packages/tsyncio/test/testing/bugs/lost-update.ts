/**
 * Lost update: a balance is read, the journal is awaited, and the balance is written; what came in between is overwritten.
 *
 * Not seen first come, first served: the withdrawal asks for authorisation first, which takes as long as the deposit's line in the
 * journal. The deposit has begun to wait earlier, so it goes on earlier, and is complete when the withdrawal reads.
 *
 * Mended: the journal is awaited first, then the balance is read and written in one step.
 */

import assert from "node:assert/strict";
import { createTask, gather, sleep } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class Account {
  balance = 100;
  readonly journal: string[] = [];

  async note(entry: string): Promise<void> {
    await sleep("1ms");
    this.journal.push(entry);
  }
}

type Book = (account: Account, amount: number) => Promise<void>;

async function bookCarelessly(account: Account, amount: number): Promise<void> {
  const { balance } = account;
  await account.note(`${amount}`);
  account.balance = balance + amount;
}

async function bookInOneStep(account: Account, amount: number): Promise<void> {
  await account.note(`${amount}`);
  account.balance += amount;
}

const depositAndWithdraw =
  (book: Book): TestBody =>
  async () => {
    const account = new Account();
    const authorise = () => sleep("1ms");
    await gather(
      createTask(() => book(account, 50), { name: "deposit" }),
      createTask(
        async () => {
          await authorise();
          await book(account, -30);
        },
        { name: "withdrawal" },
      ),
    );
    assert.equal(account.balance, 120, `the balance is ${account.balance}, it should be 120`);
  };

export const lostUpdate: Bug = {
  name: "lost update",
  runs: 10,
  decisions: 1,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: depositAndWithdraw(bookCarelessly),
  mended: depositAndWithdraw(bookInOneStep),
};
