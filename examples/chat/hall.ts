// Who is in which room, and what is said there. Knows nothing of sockets: each member has a bounded queue of lines to be sent.

import { Queue, QueueFull } from "tsyncio";

export class Member {
  name: string;
  room: string | null = null;
  /** What is to be sent to it. One that does not listen fills it, and is evicted. */
  readonly outbox: Queue<string>;
  /** Why it was evicted. */
  evicted: string | null = null;
  readonly #evict: () => void;

  /** @param evict - Ends the member's connection. */
  constructor(name: string, patience: number, evict: () => void) {
    this.name = name;
    this.outbox = new Queue<string>(patience);
    this.#evict = evict;
  }

  /** Never waits: one that is slow must not hold up the others. */
  tell(line: string): void {
    if (this.evicted !== null) return;
    try {
      this.outbox.putNowait(line);
    } catch (error) {
      if (!(error instanceof QueueFull)) throw error;
      this.evicted = `too slow: ${this.outbox.maxsize} lines wait`;
      this.#evict();
    }
  }
}

export class Hall {
  readonly #members = new Map<string, Member>();
  readonly #rooms = new Map<string, Set<Member>>();
  /** How many came, all in all: the number in the name of a newcomer. */
  #came = 0;

  get size(): number {
    return this.#members.size;
  }

  /** A newcomer, in no room. */
  enter(patience: number, evict: () => void): Member {
    const member = new Member(`guest${++this.#came}`, patience, evict);
    this.#members.set(member.name, member);
    return member;
  }

  exit(member: Member): void {
    this.leave(member);
    this.#members.delete(member.name);
  }

  /** Says why not, if the name cannot be had. */
  rename(member: Member, name: string): string | null {
    if (!/^[\p{L}\p{N}_-]{1,20}$/u.test(name)) return "a name has 1 to 20 letters, digits, - or _";
    if (this.#members.has(name)) return `${name} is here already`;
    const before = member.name;
    this.#members.delete(before);
    member.name = name;
    this.#members.set(name, member);
    this.#toRoom(member, `* ${before} is ${name} now`);
    return null;
  }

  join(member: Member, room: string): string | null {
    if (!/^[\p{L}\p{N}_-]{1,20}$/u.test(room)) return "a room's name has 1 to 20 letters, digits, - or _";
    if (member.room === room) return null;
    this.leave(member);
    member.room = room;
    const inside = this.#rooms.get(room) ?? new Set();
    this.#rooms.set(room, inside.add(member));
    this.#toRoom(member, `* ${member.name} has come to ${room}`);
    return null;
  }

  leave(member: Member): void {
    if (member.room === null) return;
    this.#toRoom(member, `* ${member.name} has left`);
    const inside = this.#rooms.get(member.room);
    inside?.delete(member);
    if (inside?.size === 0) this.#rooms.delete(member.room);
    member.room = null;
  }

  say(member: Member, text: string): string | null {
    if (member.room === null) return "you are in no room: /join one";
    this.#toRoom(member, `${member.name}: ${text}`);
    return null;
  }

  /** To one member, wherever it is. */
  whisper(member: Member, name: string, text: string): string | null {
    const to = this.#members.get(name);
    if (to === undefined) return `there is no ${name} here`;
    to.tell(`(${member.name}) ${text}`);
    return null;
  }

  who(room: string | null): string[] {
    return [...(room === null ? this.#members.values() : (this.#rooms.get(room) ?? []))].map(({ name }) => name).sort();
  }

  rooms(): string[] {
    return [...this.#rooms].map(([room, inside]) => `${room} (${inside.size})`).sort();
  }

  #toRoom(from: Member, line: string): void {
    for (const each of this.#rooms.get(from.room ?? "") ?? []) each.tell(line);
  }
}
