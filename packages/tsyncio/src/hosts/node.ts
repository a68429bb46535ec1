/** The host for Node, Bun and Deno. Imports nothing: what is needed of Node is reached through `process.getBuiltinModule`. */

import { debugTools } from "../inspect/debug-tools.ts";
import { formatReport } from "../inspect/format-report.ts";
import type { DebugTools } from "../kernel/debug-tools.ts";
import type { Ambient, AsyncLocal, Guard, Host, Location, Program, Suspendable } from "../kernel/host.ts";
import type { ExceptionContext } from "../kernel/loop.ts";
import { type Process, ProgramGuard } from "./guard.ts";
import { locate } from "./locate.ts";
import { WebHost } from "./web.ts";

type AsyncHooks = typeof import("node:async_hooks");

class NodeHost extends WebHost implements Host, Process {
  #asyncHooks: AsyncHooks | null | undefined;
  readonly #neutral: Ambient | null = this.captureAmbient();
  readonly #watching = new Set<() => void>();
  readonly #settled: Promise<void> = Promise.resolve();

  override readonly debug: boolean = process.env["TSYNCIO_DEBUG"] === "1";
  override readonly debugTools: DebugTools = debugTools;

  override wakeSoon(callback: () => void): void {
    // PERF  in a microtask an exception costs half of what it costs in a callback of Node's: cancelling is a third cheaper.
    setImmediate(() => this.#settled.then(callback));
  }

  override wakeSettled(callback: () => void): void {
    // Ticks queued from a microtask run once the microtasks are done; ticks queued from elsewhere run before them.
    // PERF  a reaction of a promise is cheaper than queueMicrotask, which makes an AsyncResource.
    this.#settled.then(() => process.nextTick(callback));
  }

  override report(message: string, context?: ExceptionContext): void {
    process.stderr.write(`${formatReport(message, context)}\n`);
  }

  override onIdle(callback: () => void): () => void {
    process.on("beforeExit", callback);
    return () => process.off("beforeExit", callback);
  }

  onSignal(signal: string, callback: () => void): (() => void) | undefined {
    // The user's own handler comes first, as in asyncio; another program's does not count. (In a worker, no signal ever comes.)
    const listeners = process.listeners(signal as NodeJS.Signals);
    if (listeners.some((each) => !this.#watching.has(each as () => void))) return undefined;
    this.#watching.add(callback);
    process.on(signal, callback);
    return () => {
      process.off(signal, callback);
      this.#watching.delete(callback);
    };
  }

  interrupted(error: Error, signal: string): void {
    const number = process.getBuiltinModule?.("node:os")?.constants.signals[signal as NodeJS.Signals] ?? 2;
    process.once("uncaughtExceptionMonitor", (uncaught) => {
      if (uncaught !== error) return;
      process.once("exit", () => {
        process.exitCode = 128 + number;
      });
    });
  }

  override captureAmbient(neutral = false): Ambient | null {
    if (neutral) return this.#neutral;
    const hooks = this.#hooks();
    if (hooks === null) return null;
    // PERF  what AsyncLocalStorage.snapshot() does, which takes twenty times as long: 20 µs on Node 20, 2 on Node 26.
    const resource = new hooks.AsyncResource("tsyncio");
    return (fn) => resource.runInAsyncScope(fn);
  }

  override createAsyncLocal<T>(): AsyncLocal<T> | null {
    const hooks = this.#hooks();
    return hooks === null ? null : new hooks.AsyncLocalStorage<T>();
  }

  isHeard(signal: AbortSignal): boolean {
    const events = process.getBuiltinModule?.("node:events");
    return events === undefined || events.getEventListeners(signal, "abort").length > 0;
  }

  guard(program: Program): Guard {
    return new ProgramGuard(program, this, this);
  }

  locate(frames: readonly Suspendable[]): (Location | undefined)[] {
    return locate(frames.map((frame) => frame._generator));
  }

  #hooks(): AsyncHooks | null {
    this.#asyncHooks ??= process.getBuiltinModule?.("node:async_hooks") ?? null;
    return this.#asyncHooks;
  }
}

export const host: Host = new NodeHost();

// Two copies of the library in one process have two notions of "the current task"; say so instead of failing oddly.
const COPIES = Symbol.for("tsyncio.copies");
const shared = globalThis as { [COPIES]?: number };
shared[COPIES] = (shared[COPIES] ?? 0) + 1;
if (shared[COPIES] === 2) {
  host.report(
    "tsyncio is loaded twice in this process: tasks of one copy are unknown to the other. Make all packages use one version (npm ls tsyncio).",
  );
}
