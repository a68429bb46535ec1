/** Random programs from a seed. */

import type { Kind, Objects, Program, Statement, Target } from "./program.ts";

const SLOTS = 8;
const FUTURES = 3;
const MAX_DEPTH = 3;

/** Kinds that belong together; one that is named twice is drawn twice as often. */
const FAMILIES = {
  flow: "sleep sleep turns spawn spawn await await cancel cancel state cancelling",
  self: "cancelself uncancel selfcount uncancelother cancelself turns",
  futures: "setf setfe cancelf newf addcb addcb rmcb await awaitf awaitf awaitf",
  callbacks: "soon later at unhandle later soon",
  compose: "gather gather gatherstore wait wait ascomp waitfor waitfor shield shieldstore await",
  timeout: "timeout timeout timeout resched waitfor",
  group: "group group gspawn gspawn gspawn",
  lock: "lockwith lockwith lockwith lockacq lockrel locked",
  sem: "semwith semacq semacq semrel semrel semlocked",
  event: "eset eclear ewait ewait",
  cond: "condwith cnotify inc condnotify condnotify condnotify condwait condwait condwait condwait",
  barrier: "bwait bwait bwait breset babort bstate",
  queue: "qput qput qget qget qputn qgetn qjoin qdone qdone qshut qstate",
  vars: "setvar getvar",
  errors: "raise boom return try try try",
};
type Family = keyof typeof FAMILIES;

/** Drawn as one of these, made as a statement of another kind. */
type Drawn = Kind | "awaitf" | "condnotify" | "condwait";

const CROWDS: readonly Family[] = [
  ...(["lock", "sem", "event", "cond", "barrier", "queue", "queue", "group", "timeout", "compose", "futures"] as const),
  ...(["cond", "self"] as const),
];
const NESTING = new Set<Drawn>(["try", "timeout", "group", "lockwith", "semwith", "condwith"]);
const LEAVING = new Set<Drawn>(["return", "raise", "boom"]);
/** What a callback may do. */
const SYNCHRONOUS = new Set(
  (
    "cancel state setf setfe cancelf newf soon later unhandle boom lockrel semrel eset eclear inc cnotify " +
    "qputn qgetn qdone qshut setvar getvar rmcb uncancelother locked"
  ).split(" "),
);

/** The program of a seed: always the same one. */
export function generate(seed: number): Program {
  return new Generator(seed).program();
}

class Generator {
  readonly #seed: number;
  readonly #random: () => number;
  readonly #objects: Objects;
  readonly #bodies: number;
  /** In two of five programs, everybody meets at one object of this family. */
  readonly #crowd: Family | null;
  readonly #menu: Drawn[];
  readonly #actionMenu: Drawn[];
  #statements = 0;
  #handles = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = mulberry32(seed);
    this.#objects = {
      locks: 2,
      semaphores: [
        [this.#below(3), false],
        [1 + this.#below(2), true],
      ],
      events: 2,
      conditions: 2,
      shared: 1,
      barriers: [1 + this.#below(3), 2],
      queues: [
        [this.#below(3), "f"],
        [1, this.#pick(["f", "l", "p"])],
        [0, this.#pick(["l", "p"])],
      ],
      futures: FUTURES,
    };
    this.#bodies = 2 + this.#below(5);
    this.#crowd = seed % 5 < 2 ? this.#pick(CROWDS) : null;
    this.#menu = this.#chooseMenu();
    this.#actionMenu = [...this.#menu.filter((kind) => SYNCHRONOUS.has(kind)), "log", "cancel"];
  }

  program(): Program {
    const bodies = Array.from({ length: this.#bodies }, (_, body) => this.#block(body, 0, 8));
    const main = this.#block(-1, 0, 16);
    for (let i = 0, spawns = 2 + this.#below(4); i < spawns; i++) {
      const at = this.#below(main.length);
      main.splice(at, 0, this.#statement("spawn", -1, 0));
    }
    return { seed: this.#seed, objects: this.#objects, bodies, main };
  }

  /** Each program stresses a few kinds of statement, so that they meet. */
  #chooseMenu(): Drawn[] {
    const family = (name: Family) => FAMILIES[name].split(" ") as Drawn[];
    const menu = [...family("flow"), ...family("flow"), ...family("errors")];
    if (this.#crowd !== null) {
      for (let i = 0; i < 6; i++) menu.push(...family(this.#crowd));
      menu.push("cancel", "cancel", "cancel", "cancel", "turns", "turns", "cancelself");
    } else {
      for (const name of Object.keys(FAMILIES) as Family[]) {
        if (this.#chance(0.3)) menu.push(...family(name), ...family(name));
      }
    }
    return menu;
  }

  #block(body: number, depth: number, size: number): Statement[] {
    return Array.from({ length: 1 + this.#below(size) }, () => {
      let kind = this.#pick(this.#menu);
      if (depth >= MAX_DEPTH && NESTING.has(kind)) kind = "sleep";
      if ((kind === "spawn" || kind === "gspawn") && body + 1 >= this.#bodies) kind = "turns";
      if (LEAVING.has(kind) && this.#chance(0.5)) kind = "sleep";
      const statement = this.#statement(kind, body, depth);
      if (this.#chance(0.6)) statement.safe = true;
      return statement;
    });
  }

  #actions(depth: number): Statement[] {
    return Array.from({ length: 1 + this.#below(2) }, () => {
      const kind = this.#pick(this.#actionMenu);
      const deep = depth > 1 && (kind === "soon" || kind === "later");
      return this.#statement(deep ? "log" : kind, this.#bodies, depth + 1);
    });
  }

  #statement(kind: Drawn, body: number, depth: number): Statement {
    const id = this.#statements++;
    switch (kind) {
      case "sleep":
        return { kind, id, delay: this.#delay() };
      case "turns":
        return { kind, id, count: 1 + this.#below(3) };
      case "spawn":
        return { kind, id, slot: this.#slot(), body: this.#laterBody(body), eager: this.#chance(0.2) };
      case "gspawn":
        return { kind, id, slot: this.#slot(), body: this.#laterBody(body), eager: this.#chance(0.2), outward: this.#below(2) };
      case "cancel":
        return { kind, id, slot: this.#slot(), message: this.#message() };
      case "cancelself":
        return { kind, id, message: this.#message() };
      case "state":
      case "cancelling":
      case "uncancelother":
        return { kind, id, slot: this.#slot() };
      case "setf":
      case "setfe":
      case "newf":
        return { kind, id, index: this.#below(FUTURES) };
      case "cancelf":
        return { kind, id, index: this.#below(FUTURES), message: this.#message() };
      case "awaitf":
        return { kind: "await", id, target: ["f", this.#below(FUTURES)] };
      case "await":
        return { kind, id, target: this.#target(body) };
      case "addcb": {
        const target: Target = this.#chance(0.5) ? ["f", this.#below(FUTURES)] : ["t", this.#slot()];
        return { kind, id, target, actions: this.#actions(1) };
      }
      case "rmcb":
        return { kind, id, added: this.#below(this.#statements) };
      case "soon":
        return { kind, id, handle: this.#handles++, actions: this.#actions(depth) };
      case "later":
        return { kind, id, handle: this.#handles++, delay: this.#delay(), actions: this.#actions(depth) };
      case "at":
        return { kind, id, handle: this.#handles++, delay: this.#below(8), actions: this.#actions(depth) };
      case "unhandle":
        return { kind, id, handle: this.#below(this.#handles + 1) };
      case "gather":
      case "gatherstore":
        return { kind, id, targets: this.#targets(body), returnExceptions: this.#chance(0.4), slot: this.#slot() };
      case "wait": {
        const targets = this.#targets(body, false);
        const delay = this.#pick([null, null, 0, 1, 2]);
        return { kind, id, targets, delay, returnWhen: this.#pick(["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]) };
      }
      case "ascomp":
        return { kind, id, targets: this.#targets(body), delay: this.#pick([null, 0, 1, 2, 3]), count: this.#pick([1, 3, 3]) };
      case "waitfor":
      case "shield":
      case "shieldstore":
        return { kind, id, target: this.#target(body), delay: this.#limit(), slot: this.#slot() };
      case "timeout":
        return { kind, id, delay: this.#limit(), absolute: this.#chance(0.15), block: this.#block(body, depth + 1, 4) };
      case "resched":
        return { kind, id, delay: this.#limit(), outward: this.#below(2) };
      case "group": {
        const block = this.#block(body, depth + 1, 4);
        if (body + 1 < this.#bodies) block.unshift(this.#statement("gspawn", body, depth));
        return { kind, id, block };
      }
      case "lockwith":
      case "semwith":
      case "condwith": {
        const index = this.#index(2);
        const block = this.#block(body, depth + 1, 3);
        if (this.#chance(0.7)) block.push(this.#statement("sleep", body, depth));
        return { kind, id, index, block };
      }
      case "condnotify":
        return this.#withCondition(id, ["cnotify", "cnotifyall"]);
      case "condwait":
        return this.#withCondition(id, ["cwait", "cwait", "cwaitfor"]);
      case "cnotify":
      case "cwaitfor":
        return { kind, id, index: this.#index(2), count: 1 + this.#below(2) };
      case "qput":
      case "qget":
      case "qputn":
      case "qgetn":
      case "qjoin":
      case "qdone":
      case "qstate":
        return { kind, id, index: this.#index(3) };
      case "qshut":
        return { kind, id, index: this.#index(3), immediate: this.#chance(0.4) };
      case "return":
        return { kind, id, value: id };
      case "raise":
        return { kind, id, error: this.#pick(["boom", "boom", "cancelled"]) };
      case "try":
        return {
          kind,
          id,
          block: this.#block(body, depth + 1, 4),
          cancelled: this.#chance(0.75) ? this.#block(body, depth + 1, 2) : null,
          afterwards: this.#pick(["raise", "swallow", "swallow", "uncancel", "boom"]),
          reraise: this.#chance(0.3),
          finally: this.#chance(0.3) ? this.#block(body, depth + 1, 2).filter((each) => each.kind !== "return") : null,
        };
      case "log":
      case "boom":
      case "inc":
      case "uncancel":
      case "selfcount":
      case "setvar":
      case "getvar":
        return { kind, id };
      default:
        return { kind, id, index: this.#index(2) };
    }
  }

  /** Holds a condition for one thing to do with it. */
  #withCondition(id: number, kinds: readonly ("cnotify" | "cnotifyall" | "cwait" | "cwaitfor")[]): Statement {
    const index = this.#index(2);
    const kind = this.#pick(kinds);
    const inner = this.#statements++;
    const statement: Statement =
      kind === "cnotify" || kind === "cwaitfor"
        ? { kind, id: inner, index, count: 1 + this.#below(2) }
        : { kind, id: inner, index };
    return { kind: "condwith", id, index, block: [statement] };
  }

  #targets(body: number, fresh = true): Target[] {
    return Array.from({ length: 1 + this.#below(3) }, () => this.#target(body, fresh));
  }

  #target(body: number, fresh = true): Target {
    const choice = this.#random();
    if (fresh && choice < 0.45 && body + 1 < this.#bodies) return ["b", this.#laterBody(body)];
    return choice < 0.8 ? ["t", this.#slot()] : ["f", this.#below(FUTURES)];
  }

  #laterBody(body: number): number {
    return body + 1 + this.#below(this.#bodies - body - 1);
  }

  #index(count: number): number {
    return this.#crowd === null ? this.#below(count) : 0;
  }

  #slot(): number {
    return this.#below(SLOTS);
  }

  #delay(): number {
    return this.#pick([0, 0, 1, 1, 2, 2, 3, 5]);
  }

  #limit(): number | null {
    return this.#pick([0, 1, 1, 2, 2, 3, 3, 5, -1, null]);
  }

  #message(): string {
    return this.#pick(["", "", "m1", "m2", "m3"]);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }
}

/** The generator of that name: a few lines, and good enough for this. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
