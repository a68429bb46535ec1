// The server: accepts clients, and serves each in a task of its own.

import { type Coroutine, getRunningLoop } from "tsyncio";
import { type Server, startServer } from "tsyncio/net";
import { type Host, serveClient } from "./serve.ts";
import { Store } from "./store.ts";

export interface KvSettings {
  /** A client that sends nothing for so long is disconnected; milliseconds, Infinity for never. */
  readonly idle: number;
  /** Clients at a time; more wait. */
  readonly clients: number;
}

/**
 * Starts it.
 *
 * @param shutdown - Called when a client asks for the server's end.
 */
export function* startKvServer(host: string, port: number, settings: KvSettings, shutdown: () => void): Coroutine<Server> {
  const loop = getRunningLoop();
  const start = loop.time();
  const shared: Host = {
    store: new Store(() => loop.time()),
    idle: settings.idle,
    requests: 0,
    shutdown,
    info: () =>
      [
        "# Server",
        "redis_version:7.0.0",
        `uptime_in_seconds:${Math.floor((loop.time() - start) / 1000)}`,
        "# Clients",
        `connected_clients:${server.connections}`,
        "# Stats",
        `total_commands_processed:${shared.requests}`,
        "",
      ].join("\r\n"),
  };
  const server = yield* startServer((streams) => serveClient(streams, shared), host, port, {
    maxConnections: settings.clients,
  });
  return server;
}
