// One connection: requests in, replies out, in order; many at a time where a client sends many at a time.

import { type Coroutine, IncompleteReadError, timeout } from "tsyncio";
import type { Streams } from "tsyncio/net";
import { answer, type Session } from "./commands.ts";
import { encode, ProtocolError, ReplyError, RequestParser } from "./resp.ts";

const CHUNK = 64 * 1024;

/** What a server gives each of its connections. */
export interface Host extends Omit<Session, "quit"> {
  /** A client that sends nothing for so long is disconnected; milliseconds, Infinity for never. */
  readonly idle: number;
  requests: number;
}

/** Serves a client until it leaves, asks for it, sends what is no request, or nothing for too long. */
export function* serveClient({ reader, writer }: Streams, host: Host): Coroutine<void> {
  const parser = new RequestParser();
  let leaving = false;
  const session: Session = {
    store: host.store,
    info: () => host.info(),
    shutdown: () => host.shutdown(),
    quit: () => {
      leaving = true;
    },
  };
  while (!leaving) {
    // The rest of a long argument is waited for in one piece.
    const missing = parser.missingBytes;
    const read = () => (missing > CHUNK ? reader.readexactly(missing) : reader.read(CHUNK));
    let bytes: Buffer;
    try {
      bytes = yield* host.idle === Number.POSITIVE_INFINITY ? read() : timeout(host.idle, read);
    } catch (error) {
      if (error instanceof IncompleteReadError) return;
      throw error;
    }
    if (bytes.length === 0) return;
    parser.push(bytes);
    const replies: Uint8Array[] = [];
    try {
      for (let request = parser.next(); request !== null && !leaving; request = leaving ? null : parser.next()) {
        host.requests++;
        encode(answer(session, request), replies);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      encode(new ReplyError(`ERR Protocol error: ${error.message}`), replies);
      leaving = true;
    }
    // Waits while the client does not take its replies: nobody can fill the memory by asking and not listening.
    if (replies.length > 0) yield* writer.send(Buffer.concat(replies));
  }
}
