/** Signals of the operating system, as something to wait for. */

import { RuntimeError, show, unexpected } from "../base/errors.ts";
import { operation } from "../kernel/coroutine.ts";
import type { Operation } from "../kernel/operation.ts";
import type { Coroutine, WaitSource } from "../kernel/suspended.ts";
import { Place, Waiters, wakeAll } from "../sync/waiters.ts";
import { builtin } from "./builtin.ts";
import { BaseSource, END, type Source } from "./source.ts";

/**
 * Waits until the process gets a signal, and returns its name.
 *
 * While it waits, the signal does not end the process; afterwards it does what it did before. To miss none between two waits, take
 * {@link signals}. The wait keeps the process alive. SIGINT is handled by `run()` as well, which cancels the main task: where it is
 * waited for here, pass `run(main, { signals: [] })`.
 *
 * @param names - A signal such as `"SIGTERM"`, or several.
 * @throws {TypeError} for what is no name, {RangeError} for a signal that does not exist or cannot be handled, at once;
 * {RuntimeError} in a worker thread, which gets no signals.
 *
 * **Suspends** always. **Cancel** stops listening. **Source** `loop.add_signal_handler`.
 *
 * @example
 * ```ts
 * const reload = createTask(waitForSignal("SIGHUP"), { eager: true });
 * process.emit("SIGHUP");
 * yield* reload; // => "SIGHUP"
 * ```
 */
export function waitForSignal(names: NodeJS.Signals | readonly NodeJS.Signals[]): Operation<NodeJS.Signals> {
  const list = checkSignals(names, "waitForSignal");
  return operation(first(list), "waitForSignal");
}

function* first(names: readonly NodeJS.Signals[]): Coroutine<NodeJS.Signals> {
  const source = new SignalSource(names, "waitForSignal");
  try {
    const { value } = yield* source._take();
    return value as NodeJS.Signals;
  } finally {
    source.stop();
  }
}

/**
 * Listens to signals from now on, and gives their names in the order in which they come.
 *
 * Until it is closed, they do not end the process. A signal that comes again before it was taken counts once, as in the kernel.
 *
 * @param names - As of {@link waitForSignal}.
 * @throws as {@link waitForSignal}.
 *
 * **Suspends** never; its `next()` does. **Cancel** see {@link Source}. **Source** `loop.add_signal_handler`.
 *
 * @example
 * ```ts
 * const hangups = signals(["SIGHUP", "SIGUSR2"]);
 * process.emit("SIGHUP");
 * (yield* hangups.next()).value; // => "SIGHUP"
 * yield* hangups.close();
 * ```
 */
export function signals(names: NodeJS.Signals | readonly NodeJS.Signals[]): Source<NodeJS.Signals> {
  return new SignalSource(checkSignals(names, "signals"), "signals");
}

function checkSignals(names: unknown, user: string): readonly NodeJS.Signals[] {
  const { constants } = builtin("node:os", user);
  const list = [...new Set(Array.isArray(names) ? names : [names])];
  if (list.length === 0) throw new RangeError(`Expected at least one signal for ${user}(), got an empty array`);
  for (const name of list) {
    if (typeof name !== "string") throw unexpected(`a signal such as "SIGTERM" for ${user}()`, name);
    if (!Object.hasOwn(constants.signals, name) || name === "SIGKILL" || name === "SIGSTOP") {
      throw new RangeError(`Expected a signal that can be handled for ${user}(), got ${show(name)}`);
    }
  }
  if (!builtin("node:worker_threads", user).isMainThread) {
    throw new RuntimeError(`Cannot use ${user}() in a worker thread: signals come to the main thread only`, "NO_SIGNALS");
  }
  return list;
}

/** Who listens to which signal: one handler of the process for all, since Node warns from the eleventh on. */
const listening = new Map<NodeJS.Signals, { readonly sources: Set<SignalSource>; readonly handler: () => void }>();

function listen(name: NodeJS.Signals, source: SignalSource): void {
  const found = listening.get(name);
  if (found !== undefined) {
    found.sources.add(source);
    return;
  }
  const sources = new Set([source]);
  const handler = (): void => {
    for (const each of [...sources]) each.came(name);
  };
  process.on(name, handler);
  listening.set(name, { sources, handler });
}

function unlisten(name: NodeJS.Signals, source: SignalSource): void {
  const found = listening.get(name);
  if (found?.sources.delete(source) !== true || found.sources.size > 0) return;
  listening.delete(name);
  process.off(name, found.handler);
}

class SignalSource extends BaseSource<NodeJS.Signals> {
  readonly #names: readonly NodeJS.Signals[];
  /** Those that came and were not taken. */
  readonly #came = new Set<NodeJS.Signals>();
  readonly #line = new Waiters();
  readonly #what: WaitSource;
  #closed = false;

  constructor(names: readonly NodeJS.Signals[], label: string) {
    super(label);
    this.#names = names;
    this.#what = { _outside: true, describe: () => `signal ${names.join(" or ")}` };
    for (const name of names) listen(name, this);
  }

  came(name: NodeJS.Signals): void {
    this.#came.add(name);
    this.#line.wakeOne();
  }

  stop(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const name of this.#names) unlisten(name, this);
    this.#came.clear();
    wakeAll(this.#line);
  }

  override *_take(): Coroutine<IteratorResult<NodeJS.Signals, undefined>> {
    // Handlers of signals keep no process alive.
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      while (this.#came.size === 0 && !this.#closed) yield* new Place(this.#line, this.#what);
    } finally {
      clearInterval(alive);
      // One that was woken and then cancelled leaves the signal to the next.
      if (this.#came.size > 0) this.#line.wakeOne();
    }
    const [value] = this.#came;
    if (value === undefined) return END;
    this.#came.delete(value);
    return { done: false, value };
  }

  override *_close(): Coroutine<void> {
    this.stop();
  }
}
