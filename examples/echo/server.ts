// The echo server: every line that a client sends comes back.

import type { Coroutine } from "tsyncio";
import { type Server, type Streams, startServer } from "tsyncio/net";

/** Serves one client until it ends its side. */
export function* echo({ reader, writer }: Streams): Coroutine<void> {
  for (;;) {
    const bytes = yield* reader.read(64 * 1024);
    if (bytes.length === 0) return;
    // Waits while the client does not take what it is sent.
    yield* writer.send(bytes);
  }
}

export function* startEchoServer(host: string, port: number): Coroutine<Server> {
  return yield* startServer(echo, host, port);
}
