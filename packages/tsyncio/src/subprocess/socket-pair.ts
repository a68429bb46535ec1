/** Two connected sockets, where a pipe is needed that two streams of a child share: Node can make a pipe for one of them only. */

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Makes a pair; the first is for the child. The folder in between is nobody else's, so that nobody else can connect. */
export async function socketPair(): Promise<[theirs: Socket, ours: Socket]> {
  const folder = await mkdtemp(join(tmpdir(), "tsyncio-"));
  const server = createServer({ pauseOnConnect: true });
  let ours: Socket | null = null;
  try {
    server.listen(join(folder, "s"));
    await once(server, "listening");
    ours = connect(join(folder, "s"));
    const [[theirs]] = await Promise.all([once(server, "connection"), once(ours, "connect")]);
    return [theirs as Socket, ours];
  } catch (error) {
    ours?.destroy();
    throw error;
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}
