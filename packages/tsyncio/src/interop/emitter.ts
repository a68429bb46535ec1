/** What emits events: Node's EventEmitters and the web's EventTargets, by one pair of functions. */

import { RuntimeError, show, unexpected } from "../base/errors.ts";

// (Parameters of type never: whatever they are, typed emitters and those of the DOM included.)

/** What has `on` and `removeListener`: streams, servers, `process`. */
export interface EmitterLike {
  on(name: never, listener: never): unknown;
  removeListener(name: never, listener: never): unknown;
}

/** What has `addEventListener`: DOM elements, AbortSignals, WebSockets. */
export interface TargetLike {
  addEventListener(name: never, listener: never): unknown;
  removeEventListener(name: never, listener: never): unknown;
}

/** The name of an event. */
export type EventName = string | symbol;

/** Starts to listen; returns how to stop. */
export function listen(emitter: EmitterLike | TargetLike, name: EventName, listener: (...args: unknown[]) => void): () => void {
  // Each with a function of its own: an EventTarget takes the same one once only.
  const own = (...args: unknown[]): void => listener(...args);
  if (isEmitter(emitter)) {
    emitter.on(name as never, own as never);
    return () => void emitter.removeListener(name as never, own as never);
  }
  emitter.addEventListener(name as never, own as never);
  return () => void emitter.removeEventListener(name as never, own as never);
}

function isEmitter(emitter: EmitterLike | TargetLike): emitter is EmitterLike {
  const { on, removeListener } = emitter as Partial<EmitterLike>;
  return typeof on === "function" && typeof removeListener === "function";
}

/** Refuses what emits nothing. */
export function checkEmitter(emitter: unknown, name: unknown, user: string): void {
  const found = (emitter ?? {}) as EmitterLike | TargetLike;
  if (!isEmitter(found) && typeof found.addEventListener !== "function") {
    throw unexpected(`an EventEmitter or an EventTarget for ${user}()`, emitter);
  }
  checkName(name, `the event's name for ${user}()`);
}

function checkName(name: unknown, what: string): void {
  if (typeof name !== "string" && typeof name !== "symbol") throw unexpected(`${what} to be a string or a symbol`, name);
}

/** The names in an option that takes one or several. */
export function namesIn(names: EventName | readonly EventName[] | undefined, option: string): readonly EventName[] {
  if (names === undefined) return [];
  const list = Array.isArray(names) ? (names as readonly EventName[]) : [names as EventName];
  for (const each of list) checkName(each, `\`${option}\``);
  return list;
}

/** The events that end a wait with an error: by default those named "error", which an EventEmitter throws if nobody listens. */
export function rejections(
  emitter: EmitterLike | TargetLike,
  name: EventName,
  rejectOn: EventName | readonly EventName[] | undefined,
): readonly EventName[] {
  const names = rejectOn === undefined && isEmitter(emitter) ? ["error"] : namesIn(rejectOn, "rejectOn");
  return names.filter((each) => each !== name);
}

/** The error that an event tells of. */
export function errorOf(event: EventName, args: readonly unknown[], awaited: EventName): unknown {
  const [first] = args;
  const error = first instanceof Error ? first : (first as { error?: unknown } | null | undefined)?.error;
  if (error instanceof Error) return error;
  const found = args.length === 0 ? "" : ` with ${show(first)}`;
  return new RuntimeError(
    `Cannot wait for "${String(awaited)}": the event "${String(event)}" came first${found}`,
    "EVENT_REJECTED",
    { cause: first },
  );
}
