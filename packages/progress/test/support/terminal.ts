/** A terminal in memory: it knows the few sequences that are used, and wraps its lines anew when its width changes. */

import { widthOf } from "../../src/text.ts";

/** A line as it was written: a row goes on in the next one where it was too long for the width. */
interface Row {
  text: string;
  wrapped: boolean;
}

// biome-ignore lint/complexity/useRegexLiterals: a literal would hold a control character
const TOKEN = new RegExp("\u001b\\[([?0-9;]*)([A-Za-z])|\\r?\\n|\\r|[^\u001b\\r\\n]+", "gu");

export class Terminal {
  readonly isTTY = true;
  columns: number;
  rows: number;
  /** How often something was written, and all of it. */
  writes = 0;
  raw = "";
  cursorVisible = true;
  /** Between the marks of a frame: all is to be seen at once. */
  synchronized = true;
  destroyed = false;
  readonly #listeners = new Map<string, Set<() => void>>();
  #rows: Row[] = [{ text: "", wrapped: false }];
  #y = 0;
  #x = 0;

  constructor(columns = 80, rows = 24) {
    this.columns = columns;
    this.rows = rows;
  }

  on(event: string, listener: () => void): this {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event)?.add(listener);
    return this;
  }

  off(event: string, listener: () => void): this {
    this.#listeners.get(event)?.delete(listener);
    return this;
  }

  listenerCount(event: string): number {
    return this.#listeners.get(event)?.size ?? 0;
  }

  emit(event: string): void {
    for (const each of this.#listeners.get(event) ?? []) each();
  }

  resize(columns: number, rows: number): void {
    const lines: string[] = [];
    let last = 0;
    for (const [y, row] of this.#rows.entries()) {
      if (y > 0 && this.#rows[y - 1]?.wrapped) lines[lines.length - 1] += row.text;
      else lines.push(row.text);
      if (y === this.#y) last = lines.length - 1;
    }
    this.columns = columns;
    this.rows = rows;
    this.#rows = [];
    for (const [index, line] of lines.entries()) {
      if (index === last) this.#y = this.#rows.length;
      let row = "";
      for (const character of line) {
        if (widthOf(row + character) > columns) {
          this.#rows.push({ text: row, wrapped: true });
          row = "";
        }
        row += character;
      }
      this.#rows.push({ text: row, wrapped: false });
    }
    this.emit("resize");
  }

  write(text: string): boolean {
    this.writes++;
    this.raw += text;
    for (const [token, parameters = "", command] of text.matchAll(TOKEN)) {
      if (command !== undefined) this.#control(command, parameters);
      else if (token === "\r") this.#x = 0;
      else if (token.endsWith("\n")) this.#down(1, true);
      else for (const character of token) this.#put(character);
    }
    return true;
  }

  /** All rows, from the first one that was ever written, without blank ones at the end. */
  get lines(): string[] {
    return this.#rows
      .map((row) => row.text.trimEnd())
      .join("\n")
      .trimEnd()
      .split("\n");
  }

  /** Where the cursor is, in rows from the first one. */
  get cursor(): { readonly x: number; readonly y: number } {
    return { x: this.#x, y: this.#y };
  }

  #row(): Row {
    return this.#rows[this.#y] as Row;
  }

  #down(count: number, scroll: boolean): void {
    for (let n = 0; n < count; n++) {
      if (this.#y === this.#rows.length - 1) {
        if (!scroll) return;
        this.#rows.push({ text: "", wrapped: false });
      }
      this.#y++;
    }
    if (scroll) this.#x = 0;
  }

  #put(character: string): void {
    if (this.#x + widthOf(character) > this.columns) {
      this.#row().wrapped = true;
      this.#down(1, true);
    }
    const row = this.#row();
    row.text = row.text.padEnd(this.#x).slice(0, this.#x) + character + row.text.slice(this.#x + 1);
    this.#x += widthOf(character);
  }

  #control(command: string, parameters: string): void {
    const count = Number(parameters || 1);
    const row = this.#row();
    // A real terminal has no way up above its first row on the screen.
    const top = Math.max(0, this.#rows.length - this.rows);
    if (command === "A") this.#y = Math.max(top, this.#y - count);
    else if (command === "B") this.#down(count, false);
    else if (command === "G") this.#x = count - 1;
    else if (command === "K") row.text = parameters === "2" ? "" : row.text.slice(0, this.#x);
    else if (command === "m") return;
    else if (parameters === "?25") this.cursorVisible = command === "h";
    else if (parameters === "?2026") this.synchronized = command === "l";
    else throw new Error(`the terminal does not know ESC[${parameters}${command}`);
    if (command === "K" && parameters === "2") row.wrapped = false;
  }
}
