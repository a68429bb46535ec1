import { expect, test } from "vitest";
import { runProgram } from "../support/process.ts";

test.each([
  ["a server", `yield* startServer(() => sleep("1h"), "127.0.0.1", 0);`],
  [
    "a connection, on both sides",
    `const server = yield* startServer(() => sleep("1h"), "127.0.0.1", 0);
     yield* openConnection("127.0.0.1", server.port);
     while (server.connections === 0) yield* sleep(1);
     server.close();`,
  ],
  ["a UDP endpoint", `yield* openDatagram({ local: { host: "127.0.0.1", port: 0 } });`],
])("run(), closes %s that was left open, so that the program ends [real]", async (_, body) => {
  const { code, stdout, stderr } = await runProgram(`
    import { run, sleep } from "tsyncio";
    import { openConnection, openDatagram, startServer } from "tsyncio/net";
    await run(function* () { ${body} });
    console.log("the end");
  `);

  expect([code, stdout, stderr]).toEqual([0, "the end\n", ""]);
});
