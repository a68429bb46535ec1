// The echo client: sends lines, and gives back what comes for each.

import type { Coroutine } from "tsyncio";
import { openConnection } from "tsyncio/net";

export function* say(host: string, port: number, lines: Iterable<string>): Coroutine<string[]> {
  const { reader, writer } = yield* openConnection(host, port, { timeout: "5s" });
  try {
    const answers: string[] = [];
    for (const line of lines) {
      yield* writer.send(`${line}\n`);
      answers.push((yield* reader.readline()).toString().trimEnd());
    }
    return answers;
  } finally {
    writer.close();
    yield* writer.waitClosed();
  }
}
