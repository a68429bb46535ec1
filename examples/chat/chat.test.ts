import { type Coroutine, createTask, gather, run, sleep, type Task } from "tsyncio";
import { openConnection, type Streams, streamPair } from "tsyncio/net";
import { runTest } from "tsyncio/testing";
import { expect, test } from "vitest";
import { portOf, start } from "../shared/programs.ts";
import { Hall } from "./hall.ts";
import { serveClient } from "./serve.ts";

const SETTINGS = { patience: 5, line: 200 };

/** A client in memory: says lines, and keeps what it is told. */
class Client {
  readonly heard: string[] = [];
  readonly streams: Streams;
  readonly serving: Task<void>;

  constructor(hall: Hall, listens = true) {
    const [mine, its] = streamPair({ limit: SETTINGS.line });
    this.streams = mine;
    its.writer.setWriteBufferLimits({ high: 100 });
    this.serving = createTask(serveClient(its, hall, SETTINGS));
    this.serving.addDoneCallback(() => its.writer.close());
    if (listens) createTask(this.#listen());
  }

  *say(...lines: string[]): Coroutine<void> {
    for (const line of lines) yield* this.streams.writer.send(`${line}\n`);
    yield* sleep(1);
  }

  /** What it has heard since it was asked last. */
  news(): string {
    return this.heard.splice(0).join("|");
  }

  *#listen(): Coroutine<void> {
    for (;;) {
      const line = yield* this.streams.reader.readline();
      if (line.length === 0) return;
      this.heard.push(line.toString().trimEnd());
    }
  }
}

test("chat, carries what is said in a room to those who are there, and to nobody else", () =>
  runTest(function* () {
    const hall = new Hall();
    const [ann, bob, cid] = [new Client(hall), new Client(hall), new Client(hall)];
    yield* ann.say("/nick ann", "/join tea", "hello?");
    yield* bob.say("/nick bob", "/join tea");
    yield* cid.say("/nick cid", "/join coffee");
    for (const each of [ann, bob, cid]) each.news();
    yield* bob.say("hello, ann");
    yield* cid.say("anybody here?");

    expect([ann.news(), bob.news(), cid.news()]).toEqual(["bob: hello, ann", "bob: hello, ann", "cid: anybody here?"]);
    yield* ann.say("/who", "/rooms", "/tell cid psst", "/nick bob", "/join a b");
    yield* ann.say("/nope", "/tell x", "/leave", "to whom?");
    expect(ann.news().split("|")).toEqual([
      "* ann, bob",
      "* coffee (1), tea (2)",
      "! bob is here already",
      "! a room's name has 1 to 20 letters, digits, - or _",
      expect.stringMatching(/^! there is no \/nope/),
      "! /tell <name> <text>",
      "* ann has left",
      "! you are in no room: /join one",
    ]);
    expect([bob.news(), cid.news()]).toEqual(["* ann has left", "(ann) psst"]);
    yield* gather([ann, bob, cid].map((each) => each.say("/quit")));
    yield* gather([ann, bob, cid].map((each) => each.serving));
    expect(hall.size).toBe(0);
  }));

test("chat, evicts a client that does not take its lines, and holds up nobody", () =>
  runTest(function* () {
    const hall = new Hall();
    const [fast, slow] = [new Client(hall), new Client(hall, false)];
    slow.streams.reader.feedData(Buffer.alloc(2 * SETTINGS.line + 1));
    yield* slow.say("/join room");
    yield* fast.say("/join room");
    for (let n = 1; n <= 20; n++) yield* fast.say(`line ${n}`);

    yield* slow.serving;
    expect(fast.heard.filter((line) => line.startsWith("guest1: line"))).toHaveLength(20);
    expect(fast.heard).toContain("* guest2 has left");
    yield* fast.say("/quit");
    yield* fast.serving;
  }));

test("chat, goes on after a line that is too long, and is left by a client that hangs up", () =>
  runTest(function* () {
    const hall = new Hall();
    const client = new Client(hall);
    yield* client.say("x".repeat(1000), "/join room", "short");

    expect(client.news().split("|").slice(1)).toEqual([
      "! a line has 200 bytes at most",
      "* guest1 has come to room",
      "guest1: short",
    ]);
    client.streams.writer.abort();
    yield* client.serving.join();
    expect(hall.size).toBe(0);
  }));

test("chat, the program, carries lines between real clients until Ctrl-C [real]", async () => {
  const server = start("chat/main.js", "0");
  const port = await portOf(server);
  const heard = await run(function* () {
    const [ann, bob] = yield* gather(openConnection("127.0.0.1", port), openConnection("127.0.0.1", port));
    for (const [name, { reader, writer }] of Object.entries({ ann, bob })) {
      yield* writer.send(`/nick ${name}\n/join tea\n`);
      let line: string;
      do line = (yield* reader.readline()).toString();
      while (!line.startsWith(`* ${name} has come`));
    }
    yield* ann.writer.send("hello\n");
    const line = (yield* bob.reader.readline()).toString();
    ann.writer.close();
    const left = (yield* bob.reader.readline()).toString();
    bob.writer.close();
    return [line, left];
  });
  server.process.kill("SIGINT");

  expect(heard).toEqual(["ann: hello\n", "* ann has left\n"]);
  expect([await server.ended, server.output]).toEqual([0, expect.stringContaining("stopped")]);
});
