// The forwarder: accepts connections, opens one to the target for each, and relays.

import { type Coroutine, TimeoutError } from "tsyncio";
import { ConnectionLostError, NetworkError, openConnection, type Server, type Streams, startServer } from "tsyncio/net";
import { type Carried, type RelaySettings, relay } from "./relay.ts";

export interface ForwardSettings extends RelaySettings {
  readonly targetHost: string;
  readonly targetPort: number;
  /** Connections at a time; more wait until one ends. */
  readonly connections: number;
  /** How long the target may take to answer, in milliseconds. */
  readonly connect: number;
}

export interface Totals extends Carried {
  served: number;
  failed: number;
}

export function* startForwarder(
  host: string,
  port: number,
  settings: ForwardSettings,
  totals: Totals,
  log: (line: string) => void,
): Coroutine<Server> {
  function* forward(client: Streams): Coroutine<void> {
    const carried: Carried = { up: 0, down: 0 };
    try {
      const target = yield* openConnection(settings.targetHost, settings.targetPort, { timeout: settings.connect });
      try {
        yield* relay(client, target, settings, carried);
        totals.served++;
      } finally {
        target.writer.close();
      }
    } catch (error) {
      const [cause] = error instanceof AggregateError && !(error instanceof NetworkError) ? error.errors : [error];
      if (!isFault(cause)) throw error;
      totals.failed++;
      log(`failed: ${cause.message}`);
      // The client sees a reset, not an end that it could take for all there is.
      client.writer.abort();
    } finally {
      totals.up += carried.up;
      totals.down += carried.down;
    }
  }
  return yield* startServer(forward, host, port, { maxConnections: settings.connections });
}

/** What networks do, and is no mistake of ours. */
function isFault(error: unknown): error is Error {
  const isSystemError = typeof (error as { syscall?: unknown } | null)?.syscall === "string";
  return (
    error instanceof TimeoutError || error instanceof NetworkError || error instanceof ConnectionLostError || isSystemError
  );
}
