import { createTask, gather, getRunningLoop, sleep } from "tsyncio";
import { cancelEverywhere, explore } from "tsyncio/testing";
import { expect, test } from "vitest";
import { streamPair } from "../../src/streams/memory.ts";
import { ConnectionLostError } from "../../src/streams/transport.ts";
import { virtually } from "../support/virtual.ts";

test("streamPair(), carries bytes and text both ways, and the end of each by itself", async () => {
  await virtually(function* () {
    const [a, b] = streamPair();
    yield* a.writer.send("to b\n");
    b.writer.writelines([Buffer.from("to "), "a\n"]);

    expect((yield* b.reader.readline()).toString()).toBe("to b\n");
    expect((yield* a.reader.readline()).toString()).toBe("to a\n");
    a.writer.writeEof();
    expect((yield* b.reader.read()).length).toBe(0);
    yield* b.writer.send("still there");
    b.writer.close();
    expect((yield* a.reader.read()).toString()).toBe("still there");
    a.writer.close();
    yield* gather(a.writer.waitClosed(), b.writer.waitClosed());
    expect(String(a.writer)).toBe("<StreamWriter closed, memory stream a>");
  });
});

test("StreamWriter.send(), waits above the high-water mark, and goes on at the low one", async () => {
  await virtually(function* () {
    const [a, b] = streamPair({ limit: 1000 });
    a.writer.setWriteBufferLimits({ high: 4000, low: 1000 });
    let sent = 0;
    const sending = createTask(function* () {
      for (; sent < 40; sent++) yield* a.writer.send("x".repeat(500));
      a.writer.close();
    });
    yield* sleep(1);
    // The reader holds a delivery, at most 64 KiB; nothing more is taken while it has so much.
    const before = sent;
    let got = 0;
    for (;;) {
      const part = yield* b.reader.read(700);
      if (part.length === 0) break;
      got += part.length;
      expect(a.writer.writeBufferSize).toBeLessThanOrEqual(4500);
      yield* sleep(0);
    }
    yield* sending;

    expect(before).toBeLessThan(40);
    expect(got).toBe(20_000);
  });
});

test("StreamWriter, refuses to write after close() and writeEof(), and what is neither bytes nor text", async () => {
  await virtually(function* () {
    const [a, b] = streamPair();
    // @ts-expect-error a number is no data
    expect(() => a.writer.write(5)).toThrow("Expected bytes (a Uint8Array) or text to write, got 5");
    expect(() => a.writer.writelines("abc")).toThrow("Expected `parts` to be an iterable of bytes or text");
    expect(() => a.writer.setWriteBufferLimits({ high: 1, low: 2 })).toThrow("Expected `high` ≥ `low` ≥ 0");
    a.writer.writeEof();
    expect(a.writer.canWriteEof()).toBe(false);
    expect(() => a.writer.write("x")).toThrow("writeEof() was called before");
    b.writer.close();
    expect(() => b.writer.write("x")).toThrow("close() was called before");
    yield* b.writer.waitClosed();
  });
});

test("StreamWriter.abort(), tells the other side, whoever waits there", async () => {
  await virtually(function* () {
    const [a, b] = streamPair();
    const reading = createTask(b.reader.readline());
    b.writer.setWriteBufferLimits({ high: 0 });
    const sending = createTask(b.writer.send("x".repeat(10)));
    a.reader.feedData(Buffer.alloc(200_000));
    yield* sleep(1);
    a.writer.abort();
    yield* gather([reading, sending], { returnExceptions: true });

    expect(reading.exception()).toMatchObject({ code: "ECONNRESET" });
    b.writer.write("nobody is there");
    const drained = createTask(b.writer.drain());
    yield* drained.join();
    expect(drained.exception()).toBeInstanceOf(ConnectionLostError);
    expect((drained.exception() as Error).cause).toBe(reading.exception());
    const closed = createTask(b.writer.waitClosed());
    yield* closed.join();
    expect(closed.exception()).toBe(reading.exception());
    yield* a.writer.waitClosed();
  });
});

test("StreamWriter, at the end of an `await using` block, is closed, with all sent", async () => {
  await virtually(async () => {
    const [a, b] = streamPair();
    {
      await using writer = a.writer;
      writer.write("all of it");
    }
    expect(a.writer.isClosing()).toBe(true);
    expect((await b.reader.read()).toString()).toBe("all of it");
  });
});

test("streamPair(), loses no byte that was sent, in any order, whatever is cancelled", async () => {
  const scenario = function* () {
    const [a, b] = streamPair({ limit: 3 });
    a.writer.setWriteBufferLimits({ high: 4, low: 1 });
    let got = "";
    let sent = "";
    const reading = createTask(function* () {
      for (;;) {
        const part = yield* b.reader.read(2);
        if (part.length === 0) break;
        got += part.toString();
      }
    });
    const sending = createTask(function* () {
      for (const part of ["abc", "defgh", "i", "jklmn"]) {
        sent += part;
        yield* a.writer.send(part);
      }
    });
    reading.addDoneCallback(() => b.writer.close());
    sending.addDoneCallback(() => a.writer.close());
    yield* gather([reading, sending], { returnExceptions: true });
    if (!reading.cancelled()) expect(got).toBe(sent);
    expect(getRunningLoop().isRunning()).toBe(true);
  };

  await explore(scenario, { runs: 200 });
  await cancelEverywhere(scenario, { twice: true });
});
