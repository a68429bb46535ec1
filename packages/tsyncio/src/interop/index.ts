/**
 * tsyncio/interop: the rest of the platform, as operations and sources: promises, AbortSignals, events, iterables, streams, files,
 * signals.
 *
 * Portable: what needs Node says so when it is called.
 */

export { abortable, anySignal, fromSignal, toSignal } from "./abort-signal.ts";
export { fromAsyncIterable } from "./async-iterable.ts";
export type { EmitterLike, EventName, TargetLike } from "./emitter.ts";
export { type FetchedResponse, fetchResponse } from "./fetch.ts";
export { type ReadLinesOptions, readChunks, readLines } from "./file-items.ts";
export { type OpenFile, type Path, readFile, withFile, writeFileAtomic } from "./files.ts";
export { type FromPromiseOptions, fromPromise, toPromise } from "./from-promise.ts";
export { fromReadable } from "./from-readable.ts";
export { interval } from "./interval.ts";
export { EventOverflowError, type Events, type OnOptions, on } from "./on.ts";
export { type OnceOptions, once } from "./once.ts";
export { signals, waitForSignal } from "./os-signals.ts";
export type { Source } from "./source.ts";
export { type Emit, toAsyncIterable } from "./to-async-iterable.ts";
export { toReadable, toReadableStream } from "./to-readable.ts";
export { writeAll } from "./write-all.ts";
