/** Live bars at the bottom of a terminal. */

import { allProgress, onProgress, type Progress } from "tsyncio";
import { Cursor } from "./cursor.ts";
import { Interceptor } from "./intercept.ts";
import { type FrameOptions, renderFrame } from "./render.ts";
import { Screen } from "./screen.ts";
import type { Display, Settings } from "./settings.ts";
import { cut, plain } from "./text.ts";

/** While much is written above the bars, they stay as they are, and are made anew once in so many milliseconds. */
const REDRAW = 30;
/** Node takes 1 ms for a longer one. */
const LONGEST_TIMER = 2 ** 31 - 1;

export class Bars implements Display {
  readonly #settings: Settings;
  readonly #screen: Screen;
  readonly #cursor: Cursor;
  readonly #unsubscribe: () => void;
  readonly #timer: NodeJS.Timeout;
  /** In front of the streams that write to the same terminal. */
  readonly #interceptors: Interceptor[] = [];
  #soon: NodeJS.Timeout | null = null;
  #drawnAt = Number.NEGATIVE_INFINITY;
  /** The bars of the last frame. */
  #made: readonly string[] = [];
  /** Trees that were in a frame; each has a last line of its own when it ends. */
  readonly #shown = new Set<number>();
  #stopped = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { stream, interval, task } = settings;
    this.#screen = new Screen(stream);
    this.#cursor = new Cursor(() => this.stop());
    stream.on?.("resize", this.#onResize);
    stream.on?.("error", this.#onError);
    process.on("exit", this.#onExit);
    if (stream === process.stderr || stream === process.stdout) {
      for (const each of [process.stdout, process.stderr]) if (each.isTTY) this.#intercept(each);
    }
    this.#timer = setInterval(this.#onTimer, Math.min(Math.max(interval, 1), LONGEST_TIMER));
    this.#timer.unref();
    this.#unsubscribe = onProgress(this.#onProgress, { interval, task });
  }

  #intercept(stream: NodeJS.WriteStream): void {
    const interceptor = new Interceptor(stream, (lines) => this.#onText(interceptor, lines, stream === this.#settings.stream));
    this.#interceptors.push(interceptor);
  }

  readonly #onTimer = (): void => {
    this.#draw();
  };

  readonly #onProgress = (progress: Progress): void => {
    const ended = progress.state !== "running";
    if (ended && this.#shown.delete(progress.id) && !this.#settings.clear) {
      const [line = ""] = renderFrame([progress], { ...this.#look(), height: 1 });
      this.#screen.print(`${line}\n`, this.#frame());
      this.#drawnAt = performance.now();
    } else if (performance.now() - this.#drawnAt >= this.#settings.interval) this.#draw();
  };

  readonly #onResize = (): void => {
    this.#screen.resized();
    this.#draw();
  };

  /** A stream that is closed is nothing to end a program for. */
  readonly #onError = (): void => {
    this.#screen.abandon();
  };

  readonly #onExit = (): void => {
    this.stop();
  };

  /** The program writes something: it goes above the bars. */
  #onText(interceptor: Interceptor, lines: string, same: boolean): void {
    const screen = this.#screen;
    // Nothing is in the way, or nobody sees it.
    if (screen.broken || (!screen.drawn && interceptor.rest === "" && this.#soon === null)) {
      interceptor.write(lines);
      return;
    }
    const often = performance.now() - this.#drawnAt < REDRAW;
    if (lines !== "") {
      const frame = this.#frame(often);
      if (same) screen.print(lines, frame);
      else screen.above(() => interceptor.write(lines), frame);
    } else if (!often) screen.draw(this.#frame());
    if (!often) this.#drawnAt = performance.now();
    else if (this.#soon === null) {
      this.#soon = setTimeout(() => {
        this.#soon = null;
        this.#draw();
      }, REDRAW);
      this.#soon.unref();
    }
  }

  #draw(): void {
    if (this.#stopped || this.#screen.broken) return;
    const lines = this.#frame();
    const cursor = lines.length > 0 || this.#screen.drawn ? this.#cursor.update() : "";
    this.#screen.draw(lines, cursor);
    this.#drawnAt = performance.now();
  }

  #look(): FrameOptions & { width: number } {
    const { width, ascii, color } = this.#settings;
    // A line that ends in the last column makes some terminals wrap.
    return { width: Math.max(1, Math.min(width, this.#screen.columns - 1)), ascii, color };
  }

  /** The bars, below lines that the program has not ended yet. `asTheyAre`: those that were made last, if they fit. */
  #frame(asTheyAre = false): string[] {
    const { width } = this.#look();
    const unfinished = this.#interceptors.map(({ rest }) => plain(rest)).filter((rest) => rest !== "");
    if (!asTheyAre || this.#made.length > this.#room(unfinished.length)) this.#made = this.#bars(unfinished.length);
    return [...unfinished.map((rest) => cut(rest, width, "")), ...this.#made];
  }

  /** @param used - Lines that something else takes. */
  #bars(used: number): string[] {
    const trees = this.#trees();
    for (const { id } of trees) this.#shown.add(id);
    return trees.length === 0 ? [] : renderFrame(trees, { ...this.#look(), height: this.#room(used) });
  }

  /** How many lines there may be. The last line of the terminal is the cursor's. */
  #room(used: number): number {
    return Math.max(1, Math.min(this.#settings.maxLines, this.#screen.rows - 1 - used));
  }

  #trees(): Progress[] {
    const { task } = this.#settings;
    if (task === undefined) return allProgress();
    const { progress } = task;
    return progress === undefined || progress.state !== "running" ? [] : [progress];
  }

  stop(): void {
    if (this.#stopped) return;
    // Ends that were not told yet get their lines.
    this.#unsubscribe();
    clearInterval(this.#timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
    const { stream, clear } = this.#settings;
    const bars = clear ? [] : this.#bars(0);
    this.#stopped = true;
    const unfinished = this.#interceptors.some(({ rest }) => rest !== "");
    this.#screen.draw(unfinished ? [] : bars);
    for (const each of this.#interceptors) each.release();
    if (unfinished && bars.length > 0) this.#screen.print("\n", bars);
    this.#screen.leave(this.#cursor.show());
    stream.off?.("resize", this.#onResize);
    stream.off?.("error", this.#onError);
    process.off("exit", this.#onExit);
  }
}
