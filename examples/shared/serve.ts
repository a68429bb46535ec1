// What the servers share: they run until Ctrl-C or SIGTERM, and then let their clients finish.

import type { Coroutine } from "tsyncio";
import type { Server } from "tsyncio/net";

/**
 * Waits until a server is closed, or the program is interrupted; then lets the clients finish for a while.
 *
 * @param log - Told what happens.
 */
export function* serveUntilInterrupted(server: Server, log: (line: string) => void): Coroutine<void> {
  for (const { address, port } of server.sockets) log(`listening on ${address}:${port}`);
  try {
    yield* server.waitClosed();
  } finally {
    if (server.connections > 0) log(`stopping; ${server.connections} connections may finish for 2 seconds`);
    yield* server.shutdown({ grace: "2s" });
    log("stopped");
  }
}
