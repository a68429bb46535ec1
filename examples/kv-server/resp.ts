// The protocol of Redis (RESP2): requests as they arrive in pieces, and replies.

/** What a server answers: a number, a text in one line, bytes or nothing, an error, or a list of these. */
export type Reply = number | Simple | Buffer | null | ReplyError | readonly Reply[];

/** A short text such as OK. */
export class Simple {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** An error that is answered; the connection goes on. */
export class ReplyError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** The client does not speak the protocol: nothing that follows can be understood. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Limits that a request must keep to, so that a hostile client costs no more memory than that. */
export interface Limits {
  /** Bytes in one argument. */
  readonly argument: number;
  /** Arguments in one request. */
  readonly count: number;
  /** Bytes in a line: of a length, or of a request that is typed by hand. */
  readonly line: number;
}

export const LIMITS: Limits = { argument: 8 * 1024 ** 2, count: 65_536, line: 64 * 1024 };

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;

/** Takes bytes as they come, and gives whole requests: each a list of arguments, the name of the command first. */
export class RequestParser {
  readonly #limits: Limits;
  /** What was pushed and is not part of a finished request; `#at` is where the next part begins. */
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** The request under way: how many arguments are still to come, and those that are there. */
  #missing = 0;
  #arguments: Buffer[] = [];
  /** The length of the argument under way; -1: it is not known yet. */
  #length = -1;

  constructor(limits: Limits = LIMITS) {
    this.#limits = limits;
  }

  push(bytes: Buffer): void {
    // What has been used is let go of. Of a long argument, the server reads `missingBytes` at once, so that it is put together once.
    this.#bytes = this.#at === this.#bytes.length ? bytes : Buffer.concat([this.#bytes.subarray(this.#at), bytes]);
    this.#at = 0;
  }

  /** How many bytes more an argument needs; 0 when that is not known. */
  get missingBytes(): number {
    return this.#length < 0 ? 0 : Math.max(0, this.#length + 2 - (this.#bytes.length - this.#at));
  }

  /**
   * The next request; null when more bytes are needed.
   *
   * @throws {ProtocolError} when the bytes are no request.
   */
  next(): Buffer[] | null {
    for (;;) {
      if (this.#missing === 0) {
        const first = this.#bytes[this.#at];
        const line = this.#line();
        if (line === null) return null;
        if (first !== STAR) {
          const words = typed(line);
          if (words.length > 0) return words;
          continue;
        }
        this.#missing = this.#number(line, "multibulk length", this.#limits.count);
        this.#arguments = [];
        continue;
      }
      if (this.#length < 0) {
        const line = this.#line();
        if (line === null) return null;
        if (line[0] !== DOLLAR) throw new ProtocolError(`expected '$', got '${String.fromCharCode(line[0] ?? 0)}'`);
        this.#length = this.#number(line, "bulk length", this.#limits.argument);
      }
      const end = this.#at + this.#length;
      if (this.#bytes.length < end + 2) return null;
      if (this.#bytes[end] !== CR || this.#bytes[end + 1] !== LF) throw new ProtocolError("expected CRLF behind an argument");
      this.#arguments.push(this.#bytes.subarray(this.#at, end));
      this.#at = end + 2;
      this.#length = -1;
      if (--this.#missing === 0) return this.#arguments;
    }
  }

  /** A line without its end; null when that is not there. */
  #line(): Buffer | null {
    const end = this.#bytes.indexOf(LF, this.#at);
    if (end < 0 || end - this.#at > this.#limits.line) {
      if (this.#bytes.length - this.#at > this.#limits.line) throw new ProtocolError("too big a line");
      return null;
    }
    const line = this.#bytes.subarray(this.#at, this.#bytes[end - 1] === CR && end > this.#at ? end - 1 : end);
    this.#at = end + 1;
    return line;
  }

  /** The number behind the first byte of a line. */
  #number(line: Buffer, what: string, most: number): number {
    const text = line.toString("latin1", 1);
    const number = Number(text);
    if (!/^-?\d{1,15}$/.test(text) || number > most) throw new ProtocolError(`invalid ${what}`);
    if (number < 0 && what === "bulk length") throw new ProtocolError(`invalid ${what}`);
    return Math.max(0, number);
  }
}

/** The words of a request that was typed by hand. */
function typed(line: Buffer): Buffer[] {
  return line
    .toString("latin1")
    .split(/[ \t]+/)
    .filter((word) => word !== "")
    .map((word) => Buffer.from(word, "latin1"));
}

const OK = Buffer.from("+OK\r\n");
const PONG = Buffer.from("+PONG\r\n");
const NIL = Buffer.from("$-1\r\n");
const END = Buffer.from("\r\n");

/** Appends the bytes of a reply to a list of pieces. */
export function encode(reply: Reply, pieces: Uint8Array[]): void {
  if (reply === null) pieces.push(NIL);
  else if (typeof reply === "number") pieces.push(Buffer.from(`:${reply}\r\n`));
  else if (reply instanceof Simple) {
    pieces.push(reply.text === "OK" ? OK : reply.text === "PONG" ? PONG : Buffer.from(`+${reply.text}\r\n`));
  } else if (reply instanceof ReplyError) pieces.push(Buffer.from(`-${reply.message.replaceAll(/[\r\n]/g, " ")}\r\n`));
  else if (Buffer.isBuffer(reply)) pieces.push(Buffer.from(`$${reply.length}\r\n`), reply, END);
  else {
    const list = reply as readonly Reply[];
    pieces.push(Buffer.from(`*${list.length}\r\n`));
    for (const each of list) encode(each, pieces);
  }
}
