// Carries bytes between two streams, both ways at once: the end of one direction is passed on, and leaves the other open.

import { type Coroutine, getRunningLoop, RateLimiter, taskGroup, timeout } from "tsyncio";
import type { StreamReader, Streams, StreamWriter } from "tsyncio/net";

export interface RelaySettings {
  /** Ends the connection when nothing has come from either side for so long; milliseconds, Infinity for never. */
  readonly idle: number;
  /** Bytes per second in each direction; Infinity for any number. */
  readonly rate: number;
}

export interface Carried {
  /** Bytes from the client, and to it. */
  up: number;
  down: number;
}

const CHUNK = 64 * 1024;

/**
 * Relays until both sides have ended.
 *
 * @param carried - Counts the bytes.
 * @throws {TimeoutError} when it was idle for too long; and what a connection is lost by.
 */
export function* relay(client: Streams, target: Streams, settings: RelaySettings, carried: Carried): Coroutine<void> {
  const loop = getRunningLoop();
  yield* timeout(settings.idle, (scope) => {
    const alive = (): void => {
      if (settings.idle !== Number.POSITIVE_INFINITY) scope.reschedule(loop.time() + settings.idle);
    };
    return taskGroup((group) => {
      group.createTask(
        carry(client.reader, target.writer, settings.rate, (bytes) => {
          carried.up += bytes;
          alive();
        }),
        { name: "up" },
      );
      group.createTask(
        carry(target.reader, client.writer, settings.rate, (bytes) => {
          carried.down += bytes;
          alive();
        }),
        { name: "down" },
      );
    });
  });
}

function* carry(from: StreamReader, to: StreamWriter, rate: number, report: (bytes: number) => void): Coroutine<void> {
  const limiter = rate === Number.POSITIVE_INFINITY ? null : new RateLimiter({ limit: rate, per: "1s" });
  const most = Math.min(CHUNK, rate);
  for (;;) {
    const bytes = yield* from.read(most);
    if (bytes.length === 0) break;
    if (limiter !== null) yield* limiter.acquire(bytes.length);
    // What the other side does not take is not read either: the sender is slowed down, and memory is not filled.
    yield* to.send(bytes);
    report(bytes.length);
  }
  if (to.canWriteEof()) to.writeEof();
}
