/** Random programs from a seed. */

import { PROFILES, type Profile } from "./profiles.ts";
import type { Held, Immediate, Kind, Objects, Operation, Program, Statement, Target } from "./program.ts";

const FUTURES = 3;
/** The first is what tasks and callbacks are given, the others are entered by `run()`: see docs/decisions/0016. */
const CONTEXTS = 3;
/** How deep operations contain each other, as in `gather(wait_for(…))`, and callbacks. */
const INSIDE = 2;

/** Kinds that belong together; one that is named twice is drawn twice as often. */
const FAMILIES = {
  flow: "sleep sleep turns spawn spawn await await cancel cancel state cancelling",
  self: "cancelself uncancel selfcount uncancelother cancelself turns canceltwice stillborn",
  futures: "setf setfe cancelf newf addcb addcb rmcb await awaitf awaitf awaitf result exception",
  callbacks: "soon later at unhandle later soon inctx",
  compose: "gather gather gatherstore wait wait ascomp ascompasync waitfor waitfor shield shieldstore await",
  timeout: "timeout timeout timeout resched waitfor scopestate timed timed",
  group: "group group gspawn gspawn gspawn",
  lock: "lockwith lockwith lockwith lockacq lockrel locked timed",
  sem: "semwith semacq semacq semrel semrel semlocked timed",
  event: "eset eclear ewait ewait estate timed",
  cond: "condwith cnotify inc condnotify condnotify condnotify condwait condwait condwait condwait timed",
  barrier: "bwait bwait bwait barwith breset babort bstate timed",
  queue: "qput qput qget qget qputn qgetn qjoin qdone qdone qshut qstate timed",
  looks: "result exception state name rename alltasks who result",
  vars: "setvar getvar setvar getvar resetvar inctx",
  errors: "raise boom return try try try",
};
type Family = keyof typeof FAMILIES;

/** Drawn as one of these, made of statements of other kinds. */
type Idiom = "awaitf" | "condnotify" | "condwait" | "canceltwice" | "stillborn" | "timed";
type Drawn = Kind | Idiom;

const CROWDS: readonly Family[] = [
  ...(["lock", "sem", "event", "cond", "barrier", "queue", "queue", "group", "timeout", "compose", "futures"] as const),
  ...(["cond", "self"] as const),
];
const NESTING = new Set<Drawn>(
  "try timeout group lockwith semwith condwith barwith condnotify condwait timed".split(" ") as Drawn[],
);
const LEAVING = new Set<Drawn>(["return", "raise", "boom"]);
const STARTING = new Set<Drawn>(["spawn", "gspawn", "stillborn"]);
const OPERATION_NAMES = "sleep gather waitfor shield lockacq semacq ewait cwait cwaitfor bwait breset babort qput qget qjoin";
const OPERATIONS = new Set(OPERATION_NAMES.split(" ") as Drawn[]);
/** What a callback may do. */
const SYNCHRONOUS = new Set(
  (
    "cancel state result exception cancelling uncancelother name rename setf setfe cancelf newf soon later at unhandle " +
    "addcb rmcb boom lockrel locked semrel semlocked eset eclear estate inc cnotify cnotifyall bstate qputn qgetn qdone " +
    "qshut qstate setvar getvar inctx spawn gspawn resched scopestate gatherstore shieldstore alltasks who"
  ).split(" "),
);

/** Where a statement stands. */
interface Place {
  /** The body that it is a part of; -1 in the main function. */
  readonly body: number;
  readonly depth: number;
  /** In a finally block, which nobody may leave by a return. */
  readonly final?: true;
}

/** The program of a seed: always the same one. */
export function generate(seed: number): Program {
  return new Generator(seed).program();
}

class Generator {
  readonly #seed: number;
  readonly #random: () => number;
  readonly #profile: Profile;
  readonly #objects: Objects;
  readonly #bodies: number;
  /** In some programs, everybody meets at one object of this family. */
  readonly #crowd: Family | null;
  readonly #menu: Drawn[];
  readonly #actionMenu: Drawn[];
  /** Operations that are handed over to be waited for. */
  readonly #operationMenu: Drawn[];
  readonly #added: number[] = [];
  /** How many tasks each body starts at most, itself included. */
  readonly #tasks: number[] = [];
  #budget = 0;
  #statements = 0;
  #handles = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = mulberry32(seed);
    this.#profile = this.#pick(PROFILES);
    const [least, more] = this.#profile.bodies;
    this.#bodies = least + this.#below(more + 1);
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
      slots: 2 * this.#bodies,
      contexts: CONTEXTS,
    };
    this.#crowd = this.#chance(this.#profile.crowd) ? this.#pick(CROWDS) : null;
    this.#menu = this.#chooseMenu();
    this.#actionMenu = [...this.#menu.filter((kind) => SYNCHRONOUS.has(kind)), "log", "cancel"];
    this.#operationMenu = [...this.#menu.filter((kind) => OPERATIONS.has(kind)), "sleep", "sleep"];
  }

  program(): Program {
    const { name, horizon, block, main: size, tasks } = this.#profile;
    const bodies: Statement[][] = [];
    // The last one first, as it must be known how much those start that a body starts.
    for (let body = this.#bodies - 1; body >= 0; body--) {
      this.#budget = tasks;
      bodies.unshift(this.#block({ body, depth: 0 }, block));
      this.#tasks[body] = tasks - this.#budget + 1;
    }
    this.#budget = 2 * tasks;
    const main = this.#block({ body: -1, depth: 0 }, size);
    for (let i = 0, spawns = 2 + this.#below(4); i < spawns; i++) {
      main.splice(this.#below(main.length), 0, ...this.#draw("spawn", { body: -1, depth: 0 }));
    }
    return { seed: this.#seed, profile: name, objects: this.#objects, horizon, bodies, main };
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

  #block(place: Place, size: number): Statement[] {
    return Array.from({ length: 1 + this.#below(size) }, () => {
      let kind = this.#pick(this.#menu);
      if (place.depth >= this.#profile.depth && NESTING.has(kind)) kind = "sleep";
      if (LEAVING.has(kind) && this.#chance(place.body < 0 ? 0.9 : 0.5)) kind = "sleep";
      if (kind === "return" && place.final) kind = "turns";
      const statements = this.#draw(kind, place);
      if (this.#chance(this.#profile.safe)) for (const statement of statements) statement.safe = true;
      return statements;
    }).flat();
  }

  /** What a drawn kind comes to: one statement, or a few that make an idiom. */
  #draw(kind: Drawn, place: Place): Statement[] {
    if (STARTING.has(kind) && !this.#canStart(place)) return [this.#statement("turns", place)];
    switch (kind) {
      case "awaitf":
        return [{ kind: "await", id: this.#statements++, target: ["f", this.#below(FUTURES)] }];
      case "condnotify":
        return [this.#around("condwith", this.#pick(["cnotify", "cnotifyall"]), place)];
      case "condwait":
        return [this.#around("condwith", this.#pick(["cwait", "cwait", "cwaitfor"]), place)];
      case "timed":
        return [this.#around("timeout", this.#pick(this.#operationMenu), place)];
      case "canceltwice": {
        const slot = this.#slot();
        return [this.#message(), this.#message()].map((message) => ({ kind: "cancel", id: this.#statements++, slot, message }));
      }
      case "stillborn": {
        const spawn = this.#statement("spawn", place) as Statement & { kind: "spawn" };
        return [spawn, { kind: "cancel", id: this.#statements++, slot: spawn.slot, message: this.#message() }];
      }
      default:
        return [this.#statement(kind, place)];
    }
  }

  #actions(place: Place): Immediate[] {
    return Array.from({ length: 1 + this.#below(2) }, () => {
      const kind = this.#pick(this.#actionMenu);
      const deep = place.depth > INSIDE && ["soon", "later", "at", "addcb", "inctx"].includes(kind);
      const impossible = deep || (STARTING.has(kind) && !this.#canStart(place));
      return this.#statement(impossible ? "log" : kind, { ...place, depth: place.depth + 1 }) as Immediate;
    });
  }

  #statement(kind: Drawn, place: Place): Statement {
    const id = this.#statements++;
    switch (kind) {
      case "sleep":
        return { kind, id, delay: this.#delay() };
      case "turns":
        return { kind, id, count: 1 + this.#below(3) };
      case "spawn": {
        const context = this.#chance(0.1) ? 0 : null;
        return { kind, id, ...this.#start(place), eager: context === null ? this.#eager() : false, context };
      }
      case "gspawn":
        return { kind, id, ...this.#start(place), eager: this.#eager(), outward: this.#below(2) };
      case "cancel":
        return { kind, id, slot: this.#slot(), message: this.#message() };
      case "cancelself":
        return { kind, id, message: this.#message() };
      case "cancelling":
      case "uncancelother":
      case "name":
      case "rename":
        return { kind, id, slot: this.#slot() };
      case "state":
      case "result":
      case "exception":
        return { kind, id, target: this.#held() };
      case "setf":
      case "setfe":
      case "newf":
        return { kind, id, index: this.#below(FUTURES) };
      case "cancelf":
        return { kind, id, index: this.#below(FUTURES), message: this.#message() };
      case "await":
        return { kind, id, target: this.#target(place, 0) };
      case "addcb":
        this.#added.push(id);
        return {
          kind,
          id,
          target: this.#held(),
          context: this.#chance(0.15) ? 0 : null,
          actions: this.#actions({ ...place, depth: 1 }),
        };
      case "rmcb":
        return { kind, id, added: this.#added.length === 0 ? id : this.#pick(this.#added) };
      case "soon":
        return { kind, id, handle: this.#handles++, actions: this.#actions(place) };
      case "later":
        return { kind, id, handle: this.#handles++, delay: this.#delay(), actions: this.#actions(place) };
      case "at":
        return { kind, id, handle: this.#handles++, delay: this.#below(8), actions: this.#actions(place) };
      case "unhandle":
        return { kind, id, handle: this.#below(this.#handles + 1) };
      case "inctx":
        return { kind, id, index: 1 + this.#below(CONTEXTS - 1), actions: this.#actions(place) };
      case "gather":
        return { kind, id, targets: this.#targets(place), returnExceptions: this.#chance(0.4) };
      case "gatherstore": {
        const targets = this.#targets(place);
        return { kind, id, targets, returnExceptions: this.#chance(0.4), slot: this.#slotFor(targets) };
      }
      case "wait": {
        const delay = this.#pick([null, null, ...this.#profile.delays]);
        const returnWhen = this.#pick(["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"] as const);
        return { kind, id, targets: this.#targets(place), delay, returnWhen };
      }
      case "ascomp":
      case "ascompasync": {
        const delay = this.#pick([null, ...this.#profile.delays]);
        return { kind, id, targets: this.#targets(place), delay, count: this.#pick([1, 3, 3]) };
      }
      case "waitfor":
        return { kind, id, target: this.#target(place), delay: this.#limit() };
      case "shield":
        return { kind, id, target: this.#target(place) };
      case "shieldstore": {
        const target = this.#target(place);
        return { kind, id, target, slot: this.#slotFor([target]) };
      }
      case "timeout":
        return { kind, id, delay: this.#limit(), absolute: this.#chance(0.15), block: this.#block(inside(place), 4) };
      case "resched":
        return { kind, id, delay: this.#limit(), outward: this.#below(2) };
      case "scopestate":
        return { kind, id, outward: this.#below(2) };
      case "group": {
        const block = this.#block(inside(place), 4);
        block.unshift(...this.#draw("gspawn", place));
        return { kind, id, block };
      }
      case "lockwith":
      case "semwith":
      case "condwith":
      case "barwith": {
        const block = this.#block(inside(place), 3);
        if (this.#chance(0.7)) block.push(this.#statement("sleep", place));
        return { kind, id, index: this.#index(2), block };
      }
      case "cnotify":
      case "cwaitfor":
        return { kind, id, index: this.#index(2), count: 1 + this.#below(2) };
      case "qput":
      case "qputn":
        return { kind, id, index: this.#index(3), item: this.#below(10) };
      case "qget":
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
          block: this.#block(inside(place), 4),
          cancelled: this.#chance(0.75) ? this.#block(inside(place), 2) : null,
          afterwards: this.#pick(["raise", "swallow", "swallow", "uncancel", "boom"]),
          reraise: this.#chance(0.3),
          finally: this.#chance(0.3) ? this.#block({ ...inside(place), final: true }, 2) : null,
        };
      case "log":
      case "boom":
      case "inc":
      case "uncancel":
      case "selfcount":
      case "alltasks":
      case "who":
      case "setvar":
      case "resetvar":
      case "getvar":
        return { kind, id };
      case "awaitf":
      case "condnotify":
      case "condwait":
      case "canceltwice":
      case "stillborn":
      case "timed":
        throw new TypeError(`${kind} is an idiom`);
      default:
        return { kind, id, index: this.#index(2) };
    }
  }

  /** One statement in a block of its own. */
  #around(kind: "condwith" | "timeout", inner: Drawn, place: Place): Statement {
    const id = this.#statements++;
    const statement = this.#statement(inner, place);
    if (kind === "timeout") return { kind, id, delay: this.#limit(), absolute: false, block: [statement] };
    const { index } = statement as { index: number };
    return { kind, id, index, block: [statement] };
  }

  /** A body to start, and the slot to put its task into; canStart() has been asked. */
  #start(place: Place): { slot: number; body: number } {
    const body = this.#laterBody(place);
    this.#budget -= this.#tasks[body] as number;
    return { slot: 2 * body + this.#below(2), body };
  }

  /** Whether there is a later body that starts few enough tasks. */
  #canStart({ body }: Place): boolean {
    return this.#startable(body).length > 0;
  }

  #startable(body: number): number[] {
    const later = Array.from({ length: this.#bodies - body - 1 }, (_, i) => body + 1 + i);
    return later.filter((each) => (this.#tasks[each] as number) <= this.#budget);
  }

  #laterBody({ body }: Place): number {
    return this.#pick(this.#startable(body));
  }

  #targets(place: Place): Target[] {
    return Array.from({ length: this.#chance(0.05) ? 0 : 1 + this.#below(3) }, () => this.#target(place));
  }

  /** What is to be waited for. */
  #target(place: Place, operations = this.#profile.operations): Target {
    if (place.depth <= this.#profile.depth + INSIDE && this.#chance(operations)) {
      const operation = this.#statement(this.#pick(this.#operationMenu), inside(place));
      return ["o", operation as Operation];
    }
    if (this.#chance(0.45) && this.#canStart(place)) return ["b", this.#start(place).body];
    if (this.#chance(0.7) && place.body + 1 < this.#bodies) {
      const later = place.body + 1 + this.#below(this.#bodies - place.body - 1);
      return ["t", 2 * later + this.#below(this.#crowd === null ? 2 : 1)];
    }
    return ["f", this.#below(FUTURES)];
  }

  #held(): Held {
    return this.#chance(0.5) ? ["f", this.#below(FUTURES)] : ["t", this.#slot()];
  }

  /** A slot for something that waits for these: only who may wait for all of them finds it there. */
  #slotFor(targets: readonly Target[]): number {
    return 2 * Math.min(...targets.map((target) => this.#level(target)), this.#bodies - 1) + this.#below(2);
  }

  /** The first body that is waited for. */
  #level(target: Target): number {
    if (target[0] === "b") return target[1];
    if (target[0] === "t") return target[1] >> 1;
    if (target[0] === "f") return Number.POSITIVE_INFINITY;
    const operation = target[1] as Operation;
    if (operation.kind === "gather") return Math.min(...operation.targets.map((each) => this.#level(each)));
    return "target" in operation ? this.#level(operation.target) : Number.POSITIVE_INFINITY;
  }

  #index(count: number): number {
    return this.#crowd === null ? this.#below(count) : 0;
  }

  #slot(): number {
    return this.#below(this.#objects.slots);
  }

  #eager(): boolean | null {
    return this.#pick([null, null, null, null, null, true, false]);
  }

  #delay(): number {
    return this.#pick(this.#profile.delays);
  }

  #limit(): number | null {
    return this.#pick(this.#profile.limits);
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

function inside(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
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
