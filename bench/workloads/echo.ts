import type { AddressInfo } from "node:net";
import type { Streams } from "tsyncio/net";
import type { Workload } from "../src/workload.ts";
import { echoed } from "./support/echo.ts";

const workload: Workload = {
  name: "echo",
  operation:
    "a server sends a message of 1 KiB back on one of 100 connections; the clients are another process, the same for all",
  measures: "time",
  peers: {
    async tsyncio() {
      const { run } = await import("tsyncio");
      const { startServer } = await import("tsyncio/net");
      function* echo({ reader, writer }: Streams) {
        for (;;) {
          const bytes = yield* reader.read(65_536);
          if (bytes.length === 0) return;
          yield* writer.send(bytes);
        }
      }
      const port = await new Promise<number>((resolve) => {
        void run(function* () {
          const server = yield* startServer(echo, "127.0.0.1", 0);
          resolve(server.port);
          yield* server.waitClosed();
        });
      });
      return await echoed(port);
    },
    async native() {
      const { createServer } = await import("node:net");
      const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
        socket.on("error", () => {});
        socket.on("end", () => socket.end());
        socket.on("data", (bytes) => {
          if (!socket.write(bytes)) socket.pause();
        });
        socket.on("drain", () => socket.resume());
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return await echoed((server.address() as AddressInfo).port);
    },
  },
};

export default workload;
