import { expect, test } from "vitest";
import { answer, type Session } from "./commands.ts";
import { encode, ProtocolError, type Reply, ReplyError, RequestParser, Simple } from "./resp.ts";
import { Store } from "./store.ts";

/** Numbers from 0 to below `n`, the same ones for the same seed. */
function random(seed: number): (n: number) => number {
  let state = (seed * 2654435761) | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

function request(args: readonly Buffer[]): Buffer {
  return Buffer.concat([
    bytes(`*${args.length}\r\n`),
    ...args.flatMap((arg) => [bytes(`$${arg.length}\r\n`), arg, bytes("\r\n")]),
  ]);
}

function* all(parser: RequestParser, pieces: Iterable<Buffer>): Generator<Buffer[]> {
  for (const piece of pieces) {
    parser.push(piece);
    for (let found = parser.next(); found !== null; found = parser.next()) yield found;
  }
}

function split(whole: Buffer, next: (n: number) => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < whole.length; ) {
    const size = 1 + next(next(4) === 0 ? 200 : 5);
    pieces.push(whole.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

test("RequestParser, gives exactly the requests that were sent, however the bytes are split", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const requests = Array.from({ length: 1 + next(8) }, () =>
      Array.from({ length: 1 + next(5) }, () => Buffer.from(Array.from({ length: next(30) }, () => next(256)))),
    );

    const found = [...all(new RequestParser(), split(Buffer.concat(requests.map(request)), next))];

    expect(found.map(request), `seed ${seed}`).toEqual(requests.map(request));
  }
});

test("RequestParser, gives what came before garbage, and then an error, or asks for more", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const good = [bytes("SET"), bytes("key"), Buffer.from(Array.from({ length: next(20) }, () => next(256)))];
    const garbage = Buffer.from(
      Array.from({ length: 1 + next(40) }, () => (next(3) === 0 ? bytes("*$\r\n-1 9")[next(9)] : next(256)) ?? 0),
    );
    const parser = new RequestParser({ argument: 100, count: 10, line: 50 });
    const found: Buffer[][] = [];
    try {
      for (const each of all(parser, split(Buffer.concat([request(good), garbage]), next))) found.push(each);
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError);
    }

    expect(request(found[0] ?? []), `seed ${seed}`).toEqual(request(good));
  }
});

test.each([
  ["*1\r\n+4\r\n", "expected '$', got '+'"],
  ["*x\r\n", "invalid multibulk length"],
  ["*70000\r\n", "invalid multibulk length"],
  ["*1\r\n$-1\r\n", "invalid bulk length"],
  ["*1\r\n$99999999\r\n", "invalid bulk length"],
  ["*1\r\n$2\r\nabcd", "expected CRLF behind an argument"],
  [`*1${"0".repeat(70_000)}`, "too big a line"],
])("RequestParser, refuses %j", (text, message) => {
  const parser = new RequestParser();
  parser.push(bytes(text));

  expect(() => parser.next()).toThrow(message);
});

test("RequestParser, takes requests that are typed, and passes over empty ones", () => {
  const parser = new RequestParser();
  parser.push(bytes("\r\nset  a 1\r\n*0\r\nGET a\n"));

  expect([parser.next(), parser.next(), parser.next()].map((each) => each?.map(String))).toEqual([
    ["set", "a", "1"],
    ["GET", "a"],
    undefined,
  ]);
});

test("encode(), writes every kind of reply", () => {
  const reply: Reply = [1, new Simple("OK"), bytes("ab"), null, new ReplyError("ERR no\nline"), [], new Simple("QUEUED")];
  const pieces: Uint8Array[] = [];
  encode(reply, pieces);

  expect(Buffer.concat(pieces).toString()).toBe("*7\r\n:1\r\n+OK\r\n$2\r\nab\r\n$-1\r\n-ERR no line\r\n*0\r\n+QUEUED\r\n");
});

function session(): { ask: (line: string) => string; pass: (ms: number) => void; log: string[] } {
  let now = 0;
  const log: string[] = [];
  const one: Session = {
    store: new Store(() => now),
    quit: () => void log.push("quit"),
    shutdown: () => void log.push("shutdown"),
    info: () => "# Server",
  };
  const ask = (line: string): string => {
    const pieces: Uint8Array[] = [];
    encode(answer(one, line.split(" ").map(bytes)), pieces);
    return Buffer.concat(pieces).toString("latin1").replaceAll("\r\n", " ").trim();
  };
  return {
    ask,
    log,
    pass: (ms) => {
      now += ms;
    },
  };
}

test.each<[string, string]>([
  ["PING", "+PONG"],
  ["ping hello", "$5 hello"],
  ["GET none", "$-1"],
  ["SET a 1; GET a", "+OK|$1 1"],
  ["SET a 1 NX; SET a 2 NX; GET a", "+OK|$-1|$1 1"],
  ["SET a 1 XX; SET a 1; SET a 2 XX GET; GET a", "$-1|+OK|$1 1|$1 2"],
  [
    "SET a 1 EX; SET a 1 EX 0; SET a 1 NX XX; SET a 1 EX x",
    "-ERR syntax error|-ERR invalid expire time in 'set' command|-ERR syntax error|-ERR value is not an integer or out of range",
  ],
  ["INCR n; INCRBY n 10; DECR n; DECRBY n 4; GET n", ":1|:11|:10|:6|$1 6"],
  [
    "SET a x; INCR a; INCRBY n 1.5",
    "+OK|-ERR value is not an integer or out of range|-ERR value is not an integer or out of range",
  ],
  ["SET n 9007199254740991; INCR n", "+OK|-ERR increment or decrement would overflow"],
  ["APPEND a xy; APPEND a z; STRLEN a; GETDEL a; GET a", ":2|:3|:3|$3 xyz|$-1"],
  ["MSET a 1 b 2; MGET a none b; EXISTS a a c; DEL a b c; DBSIZE", "+OK|*3 $1 1 $-1 $1 2|:2|:2|:0"],
  [
    "MSET a; GET; NOPE x",
    "-ERR wrong number of arguments for 'mset' command|-ERR wrong number of arguments for 'get' command|-ERR unknown command 'NOPE'",
  ],
  ["TTL a; SET a 1; TTL a; EXPIRE a 10; TTL a; PTTL a; PERSIST a; TTL a", ":-2|+OK|:-1|:1|:10|:10000|:1|:-1"],
  ["SET a 1 EX 5; SET a 2 KEEPTTL; TTL a; SET a 3; TTL a; EXPIRE a -1; EXISTS a", "+OK|+OK|:5|+OK|:-1|:1|:0"],
  [
    "MSET one 1 two 2 t[o 3; KEYS t*; KEYS ?ne; KEYS [ot]*; KEYS t\\[o",
    "+OK|*2 $3 two $3 t[o|*1 $3 one|*3 $3 one $3 two $3 t[o|*1 $3 t[o",
  ],
  [
    "SELECT 0; SELECT 1; CONFIG GET save; COMMAND DOCS; TYPE a; FLUSHALL",
    "+OK|-ERR DB index is out of range|*2 $4 save $0|*0|+none|+OK",
  ],
])("answer(), of %s", (lines, expected) => {
  const { ask } = session();

  expect(lines.split("; ").map(ask).join("|")).toBe(expected);
});

test("Store, forgets what has expired, whoever asks, and keeps nothing of it", () => {
  const { ask, pass } = session();
  ask("SET a 1 PX 100");
  ask("SET b 1");
  ask("SET c 1 PX 200");
  pass(99);
  expect(ask("MGET a b c")).toBe("*3 $1 1 $1 1 $1 1");
  pass(1);
  expect([ask("GET a"), ask("DBSIZE"), ask("KEYS *")]).toEqual(["$-1", ":2", "*2 $1 b $1 c"]);
  pass(100);
  expect([ask("INCR c"), ask("TTL c")]).toEqual([":1", ":-1"]);
});

test("answer(), leaves QUIT and SHUTDOWN to the connection and the server", () => {
  const { ask, log } = session();

  expect([ask("QUIT"), ask("SHUTDOWN NOSAVE"), log.join()]).toEqual(["+OK", "+OK", "quit,shutdown"]);
});
