/** Debug mode's watch for coroutines that were made and never awaited: the forgotten `yield*`. */

import type { EventLoop } from "../kernel/loop.ts";
import { noteOrigin, originOf } from "./origin.ts";

interface Unstarted {
  readonly label: string;
  readonly origin: string | undefined;
  readonly loop: EventLoop | null;
}

const records = new WeakMap<object, Unstarted>();
const open = new Set<Unstarted>();
const collected = new FinalizationRegistry<Unstarted>(report);

/** Notes a call that has not started. Costs some microseconds, for its place in the source. */
export function noteUnstarted(call: { describe(): string }, loop: EventLoop | null): void {
  if (loop !== null && !loop._debug) return;
  noteOrigin(call);
  const record: Unstarted = { label: call.describe(), origin: originOf(call), loop };
  records.set(call, record);
  open.add(record);
  collected.register(call, record, call);
}

export function noteStarted(call: object): void {
  const record = records.get(call);
  if (record === undefined) return;
  open.delete(record);
  collected.unregister(call);
}

/** Reports the calls made during a loop's turns that never started; used when the loop closes. */
export function reportUnstarted(loop: EventLoop): void {
  for (const record of [...open]) if (record.loop === loop) report(record);
}

function report(record: Unstarted): void {
  if (!open.delete(record)) return;
  const place = record.origin === undefined ? "" : ` (created at ${record.origin})`;
  record.loop?._host.report(
    `tsyncio: coroutine '${record.label}' was never awaited${place}. Did you mean \`yield* ${record.label}(…)\`, \`await ${record.label}(…)\` or createTask(${record.label}(…))?`,
  );
}
