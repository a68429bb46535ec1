import { gather, run } from "tsyncio";
import { openConnection } from "tsyncio/net";
import { expect, test } from "vitest";
import { portOf, start } from "../shared/programs.ts";
import { say } from "./client.ts";
import { startEchoServer } from "./server.ts";

test("echo, gives many clients at once what they have sent, in order [real]", async () => {
  await run(function* () {
    const server = yield* startEchoServer("127.0.0.1", 0);
    const clients = Array.from({ length: 50 }, (_, i) => Array.from({ length: 20 }, (_, n) => `line ${n} of ${i}`));
    const answers = yield* gather(clients.map((lines) => say("127.0.0.1", server.port, lines)));
    yield* server.shutdown();

    expect(answers).toEqual(clients);
  });
});

test("echo, gives all back to a client that ends its side before it reads [real]", async () => {
  await run(function* () {
    const server = yield* startEchoServer("127.0.0.1", 0);
    const { reader, writer } = yield* openConnection("127.0.0.1", server.port);
    const sent = Buffer.alloc(3_000_000, "abcdefg");
    const [, received] = yield* gather(
      (function* () {
        yield* writer.send(sent);
        writer.writeEof();
      })(),
      reader.read(),
    );
    writer.close();
    yield* server.shutdown();

    expect(received.equals(sent)).toBe(true);
  });
});

test("echo, the program, serves until Ctrl-C, and says what is wrong [real]", async () => {
  const server = start("echo/main.js", "serve", "0");
  const port = await portOf(server);
  const client = start("echo/main.js", "say", String(port), "hello", "you there");
  const taken = start("echo/main.js", "serve", String(port));
  const wrong = start("echo/main.js", "sing");

  expect([await client.ended, client.output]).toEqual([0, "hello\nyou there\n"]);
  expect([await taken.ended, taken.output]).toEqual([1, expect.stringContaining("EADDRINUSE")]);
  expect([await wrong.ended, wrong.output]).toEqual([
    2,
    expect.stringContaining('Expected "serve", or "say", with an address'),
  ]);
  server.process.kill("SIGINT");
  expect([await server.ended, server.output]).toEqual([0, expect.stringContaining("stopped")]);
});
