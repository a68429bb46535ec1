/** Listening at an address, as something to wait for. */

import type { ListenOptions, Server as NodeServer } from "node:net";
import type { Operation } from "../kernel/operation.ts";
import { ready } from "./ready.ts";

/** Makes a server of Node's listen. */
export function listen(server: NodeServer, where: ListenOptions): Operation<void> {
  return ready({
    label: "startServer (listen)",
    emitter: server,
    event: "listening",
    begin: () => server.listen(where),
    giveUp: () => server.on("error", () => {}).close(),
  });
}
