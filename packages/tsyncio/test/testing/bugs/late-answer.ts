/**
 * A late answer: a search box shows whatever answer comes last, which need not be that to the last question.
 *
 * Not seen first come, first served: the answer to the first question is as fast as that to the second, and was asked for earlier.
 *
 * Mended: a new question cancels the one before.
 */

import assert from "node:assert/strict";
import { createTask, sleep, type Task } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

async function search(text: string): Promise<string[]> {
  // Fewer letters, more to look through.
  await sleep(40 - 10 * text.length);
  return [`${text}!`, `${text}?`];
}

class SearchBox {
  shown: readonly string[] = [];
  readonly pending: Task<void>[] = [];

  type(text: string): void {
    const show = async (): Promise<void> => {
      this.shown = await search(text);
    };
    this.pending.push(createTask(show, { name: `search ${text}` }));
  }
}

class CancellingBox extends SearchBox {
  override type(text: string): void {
    this.pending.at(-1)?.cancel();
    super.type(text);
  }
}

const typeTwoLetters =
  (make: () => SearchBox): TestBody =>
  async () => {
    const box = make();
    box.type("t");
    await sleep("10ms");
    box.type("ts");
    for (const each of box.pending) await each.join();
    await box.pending.at(-1); // if it was cancelled, nothing is shown
    assert.equal(box.shown[0], "ts!", `it shows ${box.shown.join(" ")}`);
  };

export const lateAnswer: Bug = {
  name: "late answer",
  runs: 10,
  decisions: 1,
  fails: ["AssertionError", "ERR_ASSERTION"],
  buggy: typeTwoLetters(() => new SearchBox()),
  mended: typeTwoLetters(() => new CancellingBox()),
};
