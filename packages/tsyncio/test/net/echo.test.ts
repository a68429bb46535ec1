import { openConnection, startServer } from "tsyncio/net";
import { expect, test } from "vitest";
import { echo, quietly } from "./support.ts";

test("openConnection() and startServer(), carry lines both ways, from coroutines [real]", async () => {
  await quietly(function* () {
    const server = yield* startServer(echo, "127.0.0.1", 0);
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    yield* writer.send("hi\n");

    expect((yield* reader.readline()).toString()).toBe("hi\n");
    expect(server.connections).toBe(1);
    writer.close();
    yield* writer.waitClosed();
    yield* server.shutdown({ grace: "1s" });
    expect(server.connections).toBe(0);
  });
});
