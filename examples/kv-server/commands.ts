// What clients can ask for. A command is looked up by its name, and checked for the number of its arguments.

import { type Reply, ReplyError, Simple } from "./resp.ts";
import type { Key, Store } from "./store.ts";

/** What a connection may ask of the server besides the store. */
export interface Session {
  readonly store: Store;
  /** Closes this connection once the reply is sent. */
  quit(): void;
  /** Stops the whole server, in an orderly way. */
  shutdown(): void;
  info(): string;
}

interface Command {
  /** How many arguments besides the name: at least, at most. */
  readonly least: number;
  readonly most: number;
  run(session: Session, args: readonly Buffer[]): Reply;
}

const OK = new Simple("OK");
const PONG = new Simple("PONG");
const ANY = Number.POSITIVE_INFINITY;

const text = (bytes: Buffer | undefined): string => (bytes ?? Buffer.alloc(0)).toString("latin1");
const keyOf = (bytes: Buffer | undefined): Key => text(bytes);
/** Arguments are parts of what was received; what is kept must not keep all of that. */
const kept = (bytes: Buffer | undefined): Buffer => Buffer.from(bytes ?? Buffer.alloc(0));

function command(least: number, most: number, run: Command["run"]): Command {
  return { least, most, run };
}

function integer(bytes: Buffer | undefined): number | ReplyError {
  const found = text(bytes);
  const number = Number(found);
  if (/^-?\d{1,16}$/.test(found) && Number.isSafeInteger(number)) return number;
  return new ReplyError("ERR value is not an integer or out of range");
}

function add(store: Store, name: Buffer | undefined, by: number | ReplyError): Reply {
  if (typeof by !== "number") return by;
  const key = keyOf(name);
  const before = store.get(key);
  const number = before === null ? 0 : integer(before);
  if (typeof number !== "number") return number;
  const sum = number + by;
  if (!Number.isSafeInteger(sum)) return new ReplyError("ERR increment or decrement would overflow");
  store.replace(key, Buffer.from(String(sum)));
  return sum;
}

function set({ store }: Session, args: readonly Buffer[]): Reply {
  const key = keyOf(args[0]);
  let lifetime: number | undefined = ANY;
  let condition: "NX" | "XX" | null = null;
  let keepsLifetime = false;
  let givesOld = false;
  for (let i = 2; i < args.length; i++) {
    const option = text(args[i]).toUpperCase();
    if ((option === "NX" || option === "XX") && (condition ?? option) === option) condition = option;
    else if (option === "KEEPTTL" && lifetime === ANY) keepsLifetime = true;
    else if (option === "GET") givesOld = true;
    else if ((option === "EX" || option === "PX") && lifetime === ANY && !keepsLifetime && i + 1 < args.length) {
      const amount = integer(args[++i]);
      if (typeof amount !== "number") return amount;
      if (amount <= 0) return new ReplyError("ERR invalid expire time in 'set' command");
      lifetime = option === "EX" ? amount * 1000 : amount;
    } else return new ReplyError("ERR syntax error");
  }
  const old = store.get(key);
  const refused = condition === "NX" ? old !== null : condition === "XX" && old === null;
  if (!refused) {
    if (keepsLifetime) store.replace(key, kept(args[1]));
    else store.set(key, kept(args[1]), lifetime);
  }
  return givesOld ? old : refused ? null : OK;
}

function expire({ store }: Session, args: readonly Buffer[], unit: number): Reply {
  const amount = integer(args[1]);
  if (typeof amount !== "number") return amount;
  if (amount > 0) return Number(store.expire(keyOf(args[0]), amount * unit));
  return Number(store.delete(keyOf(args[0])));
}

function lifetime({ store }: Session, args: readonly Buffer[], unit: number): Reply {
  const left = store.lifetime(keyOf(args[0]));
  return left === null ? -2 : left === ANY ? -1 : Math.ceil(left / unit);
}

/** A pattern of Redis as a regular expression: `*`, `?`, `[abc]`, `\\` before what stands for itself. */
function pattern(glob: string): RegExp {
  const source = glob.replaceAll(
    /\\(.)|\[(\^?)((?:\\.|[^\]])*)\]|[\s\S]/g,
    (part, escaped?: string, not?: string, set?: string) => {
      if (escaped !== undefined) return literal(escaped);
      if (set !== undefined) return set === "" ? "(?!)" : `[${not}${set.replaceAll(/[\\\]^[]/g, "\\$&")}]`;
      return part === "*" ? "[\\s\\S]*" : part === "?" ? "[\\s\\S]" : literal(part);
    },
  );
  return new RegExp(`^${source}$`);
}

function literal(character: string): string {
  return character.replace(/[$()*+.?[\\\]^{|}/]/, "\\$&");
}

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    PING: command(0, 1, (_, args) => args[0] ?? PONG),
    ECHO: command(1, 1, (_, args) => args[0] ?? null),
    SET: command(2, ANY, set),
    GET: command(1, 1, ({ store }, args) => store.get(keyOf(args[0]))),
    GETDEL: command(1, 1, ({ store }, args) => {
      const value = store.get(keyOf(args[0]));
      store.delete(keyOf(args[0]));
      return value;
    }),
    MGET: command(1, ANY, ({ store }, args) => args.map((each) => store.get(keyOf(each)))),
    MSET: command(2, ANY, ({ store }, args) => {
      if (args.length % 2 === 1) return new ReplyError("ERR wrong number of arguments for 'mset' command");
      for (let i = 0; i < args.length; i += 2) store.set(keyOf(args[i]), kept(args[i + 1]));
      return OK;
    }),
    APPEND: command(2, 2, ({ store }, args) => {
      const value = Buffer.concat([store.get(keyOf(args[0])) ?? Buffer.alloc(0), args[1] ?? Buffer.alloc(0)]);
      store.replace(keyOf(args[0]), value);
      return value.length;
    }),
    STRLEN: command(1, 1, ({ store }, args) => store.get(keyOf(args[0]))?.length ?? 0),
    DEL: command(1, ANY, ({ store }, args) => args.filter((each) => store.delete(keyOf(each))).length),
    EXISTS: command(1, ANY, ({ store }, args) => args.filter((each) => store.has(keyOf(each))).length),
    INCR: command(1, 1, ({ store }, args) => add(store, args[0], 1)),
    DECR: command(1, 1, ({ store }, args) => add(store, args[0], -1)),
    INCRBY: command(2, 2, ({ store }, args) => add(store, args[0], integer(args[1]))),
    DECRBY: command(2, 2, ({ store }, args) => {
      const by = integer(args[1]);
      return add(store, args[0], typeof by === "number" ? -by : by);
    }),
    EXPIRE: command(2, 2, (session, args) => expire(session, args, 1000)),
    PEXPIRE: command(2, 2, (session, args) => expire(session, args, 1)),
    TTL: command(1, 1, (session, args) => lifetime(session, args, 1000)),
    PTTL: command(1, 1, (session, args) => lifetime(session, args, 1)),
    PERSIST: command(1, 1, ({ store }, args) => {
      const left = store.lifetime(keyOf(args[0]));
      return left === null || left === ANY ? 0 : Number(store.expire(keyOf(args[0]), ANY));
    }),
    TYPE: command(1, 1, ({ store }, args) => new Simple(store.has(keyOf(args[0])) ? "string" : "none")),
    KEYS: command(1, 1, ({ store }, args) => {
      const wanted = pattern(text(args[0]));
      return store
        .keys()
        .filter((key) => wanted.test(key))
        .map((key) => Buffer.from(key, "latin1"));
    }),
    DBSIZE: command(0, 0, ({ store }) => store.size),
    FLUSHALL: command(0, 1, ({ store }) => {
      store.clear();
      return OK;
    }),
    FLUSHDB: command(0, 1, ({ store }) => {
      store.clear();
      return OK;
    }),
    SELECT: command(1, 1, (_, args) => (text(args[0]) === "0" ? OK : new ReplyError("ERR DB index is out of range"))),
    INFO: command(0, ANY, (session) => Buffer.from(session.info())),
    // Real clients ask for these before anything else, and get along with an answer that says nothing.
    COMMAND: command(0, ANY, () => []),
    CONFIG: command(1, ANY, (_, args) => {
      const [verb, ...names] = args;
      if (text(verb).toUpperCase() !== "GET") return new ReplyError("ERR there is nothing to be configured");
      // Nothing is written to disk, so that all of it is empty.
      return names.flatMap((name) => [name, Buffer.alloc(0)]);
    }),
    CLIENT: command(1, ANY, () => OK),
    QUIT: command(0, 0, (session) => {
      session.quit();
      return OK;
    }),
    SHUTDOWN: command(0, 1, (session) => {
      session.shutdown();
      return OK;
    }),
  }),
);

/** Answers a request. */
export function answer(session: Session, request: readonly Buffer[]): Reply {
  const [first, ...args] = request;
  const name = text(first);
  const found = COMMANDS.get(name) ?? COMMANDS.get(name.toUpperCase());
  if (found === undefined) return new ReplyError(`ERR unknown command '${name.slice(0, 128)}'`);
  if (args.length < found.least || args.length > found.most) {
    return new ReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
  }
  return found.run(session, args);
}
