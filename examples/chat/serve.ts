// One connection: a task takes the client's lines, another sends what it is told. Either one's end is the end of both.

import { type Coroutine, LimitOverrunError, Queue, race, sleep } from "tsyncio";
import type { Streams } from "tsyncio/net";
import type { Hall, Member } from "./hall.ts";

const HELP = "/nick <name>, /join <room>, /leave, /who, /rooms, /tell <name> <text>, /quit; all else is said in your room";

export interface ChatSettings {
  /** How many lines may wait for a client that does not take them. */
  readonly patience: number;
  /** Bytes in a line. */
  readonly line: number;
}

/** Serves a client until it leaves, or is evicted. */
export function* serveClient({ reader, writer }: Streams, hall: Hall, settings: ChatSettings): Coroutine<void> {
  const evicted = new Queue<void>();
  const member = hall.enter(settings.patience, () => evicted.putNowait());
  try {
    member.tell(`* welcome, ${member.name}; ${HELP}`);
    yield* race([listen(), speak(), evicted.get()]);
    // What it was told last is still sent, if it takes it soon.
    if (member.evicted === null) yield* race([drain(), sleep("1s")]);
    else writer.abort();
  } finally {
    hall.exit(member);
  }

  function* listen(): Coroutine<void> {
    for (;;) {
      let line: Buffer;
      try {
        line = yield* reader.readline();
      } catch (error) {
        if (!(error instanceof LimitOverrunError)) throw error;
        member.tell(`! a line has ${settings.line} bytes at most`);
        continue;
      }
      if (line.length === 0) return;
      const text = line.toString().trim();
      if (text === "/quit") return;
      const refusal = text === "" ? null : obey(hall, member, text);
      if (refusal !== null) member.tell(`! ${refusal}`);
    }
  }

  function* speak(): Coroutine<void> {
    for (;;) yield* writer.send(`${yield* member.outbox.get()}\n`);
  }

  function* drain(): Coroutine<void> {
    while (!member.outbox.empty()) yield* writer.send(`${member.outbox.getNowait()}\n`);
  }
}

/** Does what a line asks for; says why not, if that cannot be done. */
function obey(hall: Hall, member: Member, text: string): string | null {
  const [, command, rest = ""] = /^\/(\w+)\s*(.*)$/s.exec(text) ?? [];
  switch (command) {
    case undefined:
      return text.startsWith("/") ? HELP : hall.say(member, text);
    case "nick":
      return hall.rename(member, rest);
    case "join":
      return hall.join(member, rest);
    case "leave":
      hall.leave(member);
      return null;
    case "who":
      member.tell(`* ${hall.who(member.room).join(", ")}`);
      return null;
    case "rooms":
      member.tell(`* ${hall.rooms().join(", ") || "there are no rooms: /join makes one"}`);
      return null;
    case "tell": {
      const [, name = "", words = ""] = /^(\S+)\s+(.*)$/s.exec(rest) ?? [];
      return name === "" ? "/tell <name> <text>" : hall.whisper(member, name, words);
    }
    default:
      return `there is no /${command}; ${HELP}`;
  }
}
