/** Hiding the cursor of a terminal, and making sure that it comes back. */

const HIDE = "\u001b[?25l";
const SHOW = "\u001b[?25h";

/** These end a process without a word, unless somebody handles them. */
const FATAL = ["SIGTERM", "SIGHUP"] as const;

/**
 * The cursor is hidden only while somebody handles Ctrl-C, as `run()` does: a process that Ctrl-C just ends could not show it again.
 *
 * So this one does not watch SIGINT itself: `run()` would take that for the user's own handler, and leave its program running.
 */
export class Cursor {
  readonly #onSignal: () => void;
  #hidden = false;
  readonly #watched = new Map<NodeJS.Signals, () => void>();

  /** @param onSignal - Called before a signal ends the process. */
  constructor(onSignal: () => void) {
    this.#onSignal = onSignal;
  }

  /** What to write before lines are drawn. */
  update(): string {
    const safe = process.listenerCount("SIGINT") > 0;
    if (safe === this.#hidden) return "";
    return safe ? this.#hide() : this.show();
  }

  /** What to write in the end. */
  show(): string {
    if (!this.#hidden) return "";
    this.#hidden = false;
    for (const [signal, listener] of this.#watched) process.off(signal, listener);
    this.#watched.clear();
    return SHOW;
  }

  #hide(): string {
    this.#hidden = true;
    for (const signal of FATAL) {
      if (process.listenerCount(signal) > 0) continue;
      const listener = (): void => {
        const alone = process.listenerCount(signal) === 1;
        this.#onSignal();
        // What nobody else handles ends the process, as it would have without us.
        if (alone) process.kill(process.pid, signal);
      };
      this.#watched.set(signal, listener);
      process.on(signal, listener);
    }
    return HIDE;
  }
}
