/** What the process may do to a program that runs: end it by a signal, or by having nothing left to wait for. */

import { isCancelled, KeyboardInterrupt, show } from "../base/errors.ts";
import { deadlock } from "../inspect/wait-graph.ts";
import type { Guard, Host, Program } from "../kernel/host.ts";

/** How a host hears of signals and of their consequences. */
export interface Process {
  /** Watches a signal; undefined where the user handles it himself. Returns how to stop watching. */
  onSignal(signal: string, callback: () => void): (() => void) | undefined;
  /** Told of the error that a signal ends a program with: if nobody handles it, the process ends with the signal's exit code. */
  interrupted(error: Error, signal: string): void;
}

/** The first signal cancels the main task, the second ends the program; so does a deadlock. */
export class ProgramGuard implements Guard {
  readonly #program: Program;
  readonly #process: Process;
  readonly #unwatch: (() => void)[];
  #count = 0;
  #signal = "";

  constructor(program: Program, host: Host, process: Process) {
    const { loop, signals = ["SIGINT"] } = program;
    if (!Array.isArray(signals)) {
      throw new TypeError(`Expected \`signals\` to be an array such as ["SIGINT"], got ${show(signals)}`);
    }
    this.#program = program;
    this.#process = process;
    this.#unwatch = [];
    for (const signal of signals) {
      const unwatch = process.onSignal(signal, () => this.#onSignal(signal));
      if (unwatch !== undefined) this.#unwatch.push(unwatch);
    }
    this.#unwatch.push(host.onIdle(() => loop._abort(deadlock(loop))));
  }

  /** A cancellation that came from a signal, and from nobody else, is an interrupt. */
  explain(error: unknown): unknown {
    if (this.#count > 0 && isCancelled(error) && this.#program.task.uncancel() === 0) return this.#interrupt(error);
    return error;
  }

  release(): void {
    for (const each of this.#unwatch) each();
  }

  #onSignal(signal: string): void {
    const { loop, task } = this.#program;
    this.#count++;
    this.#signal = signal;
    if (this.#count === 1 && !task.done()) task.cancel();
    else loop._abort(this.#interrupt(undefined));
  }

  #interrupt(cause: unknown): KeyboardInterrupt {
    const error = new KeyboardInterrupt(this.#signal, cause === undefined ? undefined : { cause });
    this.#process.interrupted(error, this.#signal);
    return error;
  }
}
