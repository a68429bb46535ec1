/**
 * Timer and cancel: closing a document takes back the timer of its autosave. If the timer has just fired, that does nothing, and the
 * task that it has started writes to a file that is closed.
 *
 * Not seen first come, first served: the session ends in the same millisecond as the pause after the last change, and was begun
 * earlier, so its timer is the first to fire.
 *
 * Mended: closing also cancels a save that has been started.
 */

import { type Coroutine, createTask, getRunningLoop, sleep, type Task, type TimerHandle } from "tsyncio";
import type { TestBody } from "tsyncio/testing";
import type { Bug } from "./bug.ts";

class File {
  text = "";
  #open = true;

  *write(text: string): Coroutine<void> {
    if (!this.#open) throw new Error("the file is closed");
    yield* sleep("1ms");
    this.text = text;
  }

  close(): void {
    this.#open = false;
  }
}

class Editor {
  readonly #file = new File();
  #text = "";
  #timer: TimerHandle | undefined;
  protected saving: Task<void> | undefined;

  change(text: string): void {
    this.#text = text;
    this.#timer?.cancel();
    const autosave = (): void => {
      this.saving = createTask(this.#file.write(this.#text), { name: "autosave" });
    };
    this.#timer = getRunningLoop().callLater("50ms", autosave);
  }

  close(): void {
    this.#timer?.cancel();
    this.#file.close();
  }
}

class CarefulEditor extends Editor {
  override close(): void {
    this.saving?.cancel();
    super.close();
  }
}

const writeUntilTheSessionEnds = (make: () => Editor): TestBody =>
  function* () {
    const editor = make();
    getRunningLoop().callLater("100ms", function endOfSession() {
      editor.close();
    });
    yield* sleep("50ms");
    editor.change("Once upon a time");
    yield* sleep("1s");
  };

export const timerCancelRace: Bug = {
  name: "timer and cancel",
  runs: 20,
  decisions: 1,
  fails: ["ProblemError", "UNHANDLED"],
  buggy: writeUntilTheSessionEnds(() => new Editor()),
  mended: writeUntilTheSessionEnds(() => new CarefulEditor()),
};
