/** Telling of progress: soon, but not more often than is asked for, and always of the last state. */

import { type Context, copyContext } from "../kernel/context.ts";
import { runningLoop, within } from "../kernel/current.ts";
import type { Ambient } from "../kernel/host.ts";
import { isPromiseLike } from "../kernel/kinds.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Progress } from "../kernel/progress.ts";
import type { Task } from "../kernel/task.ts";
import type { ProgressNode } from "./progress-node.ts";
import { type Listening, tracker } from "./progress-tracker.ts";

/** Ends of tasks are told with the rest, after the interval; but not more of them are kept until then. */
const MANY_ENDS = 1000;

/**
 * STATE  quiet ──a change──▶ soon ──two turns later──▶ told ──the interval is over──▶ quiet, or soon if there was a change
 *
 * So in a program in which nothing happens no timer runs: it is found to be idle, or in a deadlock.
 */
export class Listener implements Listening {
  readonly #tell: (progress: Progress) => unknown;
  readonly #interval: number;
  readonly #task: Task<unknown> | null;
  readonly #onStop: () => void;
  /** It runs in the context of whoever asked for it, not in that of a task that happened to report. */
  readonly #context: Context = copyContext();
  readonly #ambient: Ambient | null = runningLoop()?._host.captureAmbient() ?? null;
  #changed = false;
  /** The loop and the turn in which a task has ended last. */
  #endedIn: EventLoop | null = null;
  #endTurn = 0;
  #stopped = false;
  /** The loop that is going to tell in its next turn. */
  #soon: EventLoop | null = null;
  /** The loop whose clock the interval is on, and the timer, as that loop's host knows it. */
  #resting: { readonly loop: EventLoop; readonly timer: unknown } | null = null;
  /** Those whose ends are to be told, and the loop that is going to do so in its next turn. */
  #ended: ProgressNode[] = [];
  #endsSoon: EventLoop | null = null;
  /** Of those that go on, the number of the change that was told last. */
  readonly #told = new WeakMap<ProgressNode, number>();

  /** @param onStop - Told when nothing comes any more: it was stopped, or the one task has ended. */
  constructor(
    tell: (progress: Progress) => unknown,
    interval: number,
    task: Task<unknown> | null,
    onStop: () => void = () => {},
  ) {
    this.#tell = tell;
    this.#interval = interval;
    this.#task = task;
    this.#onStop = onStop;
    tracker.listeners.add(this);
    task?.addDoneCallback(this.#onDone);
    // There may be something to tell already.
    const loop = task?._loop ?? runningLoop();
    if (loop !== null && !loop.isClosed()) this.touched(loop);
  }

  touched(loop: EventLoop, byEnd = false): void {
    this.#changed = true;
    if (byEnd) {
      this.#endedIn = loop;
      this.#endTurn = loop._turnNumber;
    }
    if (this.#resting !== null && !this.#resting.loop.isClosed()) return;
    if (!isComing(this.#soon, loop)) this.#tellSoon(loop);
  }

  ended(node: ProgressNode, root: boolean): void {
    if (this.#task !== null) return;
    const loop = node.task._loop;
    this.#ended.push(node);
    // ORDER  the end of a root may be the end of the program: what there is to tell is told in the turns that are left.
    if (!root && this.#ended.length < MANY_ENDS) return;
    if (isComing(this.#endsSoon, loop) || loop.isClosed()) return;
    this.#endsSoon = loop;
    loop.callSoon(this.#onEndsTurn);
  }

  #tellSoon(loop: EventLoop): void {
    if (loop.isClosed()) return;
    this.#soon = loop;
    // ORDER  a task reports for the last time and ends; its group counts that in the next turn; and only then one looks.
    loop.callSoon(() => loop.callSoon(this.#onTurn));
  }

  readonly #onEndsTurn = (): void => {
    this.#endsSoon = null;
    if (!this.#stopped) this.#tellEnds();
  };

  readonly #onTurn = (): void => {
    const loop = this.#soon;
    this.#soon = null;
    if (this.#stopped || loop === null) return;
    this.#tellAll();
    this.#rest(loop);
  };

  /** Lets the interval pass; on no loop: ends that. */
  #rest(loop: EventLoop | null): void {
    const before = this.#resting;
    if (before !== null) before.loop._host.cancel(before.timer);
    this.#resting = null;
    if (loop === null || this.#stopped) return;
    // Not a timer of the loop's: those keep the process alive, and this one must not.
    const timer =
      this.#interval < Number.POSITIVE_INFINITY ? loop._host.wakeAt(loop.time() + this.#interval, this.#onTimer) : null;
    (timer as { unref?(): void } | null)?.unref?.();
    this.#resting = { loop, timer };
  }

  readonly #onTimer = (): void => {
    const loop = this.#resting?.loop;
    this.#resting = null;
    if (loop !== undefined && (this.#changed || this.#ended.length > 0)) this.#tellSoon(loop);
  };

  /** The one task has ended. */
  readonly #onDone = (): void => {
    this.#changed = true;
    this.stop();
  };

  #tellAll(): void {
    // ORDER  what a task's end brings about comes in the turn after, maybe later in this one: a group counts it then. So one has to
    //        look once more.
    this.#changed = this.#endedIn !== null && this.#endedIn._turnNumber - this.#endTurn <= 1;
    this.#endedIn = null;
    // ORDER  the end of a child is told before the parent that counts it.
    this.#tellEnds();
    for (const node of this.#task === null ? tracker.roots() : tracker.lookAtNodeOf(this.#task)) {
      if (this.#stopped) return;
      if (this.#told.get(node) === node.change) continue;
      this.#told.set(node, node.change);
      this.#tellOf(node);
    }
  }

  #tellEnds(): void {
    const ended = this.#ended;
    this.#ended = [];
    for (const node of ended) if (!this.#stopped) this.#tellOf(node);
  }

  #tellOf(node: ProgressNode): void {
    const progress = node.seen;
    if (progress === undefined) return;
    const onError = (exception: unknown): void =>
      node.task._loop.callExceptionHandler({ message: "Exception in a listener of onProgress()", exception });
    within(this.#ambient, () => {
      try {
        const result = this.#context.run(() => this.#tell(progress));
        if (isPromiseLike(result)) result.then(undefined, onError);
      } catch (error) {
        onError(error);
      }
    });
  }

  /** Ends it; what is not told yet is told now. */
  stop(): void {
    if (!tracker.listeners.delete(this)) return;
    this.#task?.removeDoneCallback(this.#onDone);
    this.#rest(null);
    if (this.#changed) this.#tellAll();
    else this.#tellEnds();
    this.#stopped = true;
    this.#onStop();
  }
}

/** Whether a loop is going to have its next turn, as far as another loop can know. */
function isComing(loop: EventLoop | null, asked: EventLoop): boolean {
  return loop !== null && !loop.isClosed() && (loop === asked || loop.isRunning());
}
