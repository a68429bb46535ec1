/** Lines at the bottom of a terminal that are drawn over, with what else is written above them. */

import { createLogUpdate } from "log-update";
import type { OutputStream } from "./stream.ts";
import { plain, widthOf } from "./text.ts";

const BEGIN = "\u001b[?2026h";
const END = "\u001b[?2026l";
const ERASE_LINE = "\u001b[2K";
const LINE_UP = "\u001b[1A";
const TO_START = "\u001b[G";

/** The size of a terminal that does not tell it. */
const COLUMNS = 80;
const ROWS = 24;

/**
 * The lines that are drawn over.
 *
 * log-update knows which of them have changed. It draws into a buffer here, which is written in one go, so that nobody sees a half of
 * it; and it is made to forget the lines where it would go wrong: when there are more or fewer of them than before, and when the
 * terminal has wrapped them anew.
 */
export class Screen {
  readonly #stream: OutputStream;
  readonly #write: (text: string) => unknown;
  readonly #log: ReturnType<typeof createLogUpdate>;
  #buffer = "";
  #lines: readonly string[] = [];
  #broken = false;

  constructor(stream: OutputStream) {
    this.#stream = stream;
    // Whoever puts another `write` in its place later does not mean ours.
    const { write } = stream;
    this.#write = (text) => write.call(stream, text);
    const screen = this;
    const buffer = {
      isTTY: false,
      get columns() {
        return screen.columns;
      },
      get rows() {
        return screen.rows;
      },
      write(text: string): boolean {
        screen.#buffer += text;
        return true;
      },
    };
    // The cursor is not log-update's to hide: it would watch signals for that, and tsyncio takes a watched signal for the user's own.
    this.#log = createLogUpdate(buffer as unknown as NodeJS.WritableStream, { showCursor: true });
  }

  get columns(): number {
    return this.#stream.columns || COLUMNS;
  }

  get rows(): number {
    return this.#stream.rows || ROWS;
  }

  /** Nobody reads it any more. */
  get broken(): boolean {
    return this.#broken || this.#stream.destroyed === true;
  }

  /** From now on nothing is written. */
  abandon(): void {
    this.#broken = true;
  }

  /** Whether there are lines to be drawn over. */
  get drawn(): boolean {
    return this.#lines.length > 0;
  }

  /** Puts lines in the place of those that are there. `first`: written before all else. */
  draw(lines: readonly string[], first = ""): void {
    if (lines.length !== this.#lines.length) this.#erase();
    this.#lines = lines;
    if (lines.length > 0) this.#log(lines.join("\n"));
    this.#flush(first);
  }

  /** Has something written above, by `write`, and puts lines below it. */
  above(write: () => void, lines: readonly string[]): void {
    this.#over(lines, () => {
      this.#flush();
      write();
    });
  }

  /** As `above`, for text that goes to the same stream: in one piece with the lines that follow. */
  print(text: string, lines: readonly string[]): void {
    this.#over(lines, () => {
      this.#buffer += text;
    });
  }

  #over(lines: readonly string[], write: () => void): void {
    const same = lines.length === this.#lines.length && lines.every((line, index) => line === this.#lines[index]);
    if (same) {
      // PERF  they come back as they were, so log-update, which would measure and wrap each of them, need not know.
      if (lines.length > 0) this.#buffer += eraseUp(lines.length);
      write();
      for (const line of lines) this.#buffer += `${line}\n`;
    } else {
      this.#erase();
      write();
      this.#lines = lines;
      if (lines.length > 0) this.#log(lines.join("\n"));
    }
    this.#flush();
  }

  /** The size has changed: by now the terminal has wrapped lines that are too long for it. */
  resized(): void {
    const { columns } = this;
    const height = this.#lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(plain(line)) / columns)), 0);
    if (height > 0) this.#buffer += eraseUp(height);
    this.#lines = [];
    this.#log.done();
  }

  /** Leaves the lines where they are, and begins anew below them. */
  leave(last = ""): void {
    this.#lines = [];
    this.#log.done();
    this.#flush(last);
  }

  #erase(): void {
    if (this.#lines.length > 0) this.#log.clear();
    this.#lines = [];
  }

  #flush(first = ""): void {
    const text = first + this.#buffer;
    this.#buffer = "";
    if (text === "" || this.broken) return;
    try {
      this.#write(BEGIN + text + END);
    } catch {
      // A terminal that is gone.
      this.#broken = true;
    }
  }
}

function eraseUp(lines: number): string {
  return ERASE_LINE + (LINE_UP + ERASE_LINE).repeat(lines) + TO_START;
}
