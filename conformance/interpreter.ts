/** Runs a program that is given as data. Twin of python/interpreter.py: what one does the other does, statement by statement. */

import type { Coroutine, EventLoop, Future, Handle, Job, TaskGroup, Timeout } from "tsyncio";
import * as library from "tsyncio";
import { asAsync, type Form, isCalled } from "./form.ts";
import type { Program, Statement, StatementOf, Target } from "./program.ts";
import { Boom, show, showError, type Tools, type Trace, traceOf } from "./trace.ts";

type Interpreter = (program: Program, tools: Tools) => Job<unknown>;

const interpreters = new Map<Form, Interpreter>();

/** The trace of a program, written in one of the forms. */
export function runProgram(program: Program, form: Form): Promise<Trace> {
  const interpret = interpreters.get(form) ?? makeInterpreter(form);
  interpreters.set(form, interpret);
  return traceOf((tools) => interpret(program, tools));
}

function makeInterpreter(form: Form): Interpreter {
  // The text is that of the function below, so that there is one interpreter for all forms.
  const factory =
    form === "async" ? (new Function(`return ${asAsync(String(interpreterOf))}`)() as typeof interpreterOf) : interpreterOf;
  return factory({
    ...library,
    Boom,
    show,
    showError,
    define: form === "wrapped" ? (library.coroutine as typeof identity) : identity,
    job: isCalled(form)
      ? (fn, ...args) => fn(...args)
      : (fn, ...args) =>
          () =>
            fn(...args),
    begin: (job) => (typeof job === "function" ? (job() as Coroutine<unknown>) : (job as Coroutine<unknown>)),
  });
}

function identity<F>(fn: F): F {
  return fn;
}

type Surroundings = typeof library & {
  readonly Boom: typeof import("./trace.ts").Boom;
  readonly show: (value: unknown) => string;
  readonly showError: (error: unknown) => string;
  /** Makes what the form wants of a `function*`. */
  readonly define: <F extends (...args: never[]) => unknown>(fn: F) => F;
  /** A call in the words of the form: made, or to be made. */
  readonly job: <A extends unknown[]>(fn: (...args: A) => Coroutine<unknown>, ...args: A) => Job<unknown>;
  /** What `yield*` or `await` takes of a job. */
  readonly begin: (job: Job<unknown>) => Coroutine<unknown>;
};

/** Closed: what it uses comes as an argument, as its text is evaluated elsewhere for the async form. */
function interpreterOf(given: Surroundings): Interpreter {
  const { Boom, show, showError, define, job, begin } = given;
  const { asCompleted, createTask, currentTask, gather, shield, sleep, taskGroup, timeout, timeoutAt, wait, waitFor } = given;
  const { Barrier, BoundedSemaphore, Condition, ContextVar, Event, LifoQueue, Lock, PriorityQueue, Queue, Semaphore } = given;
  const { CancelledError, isCancelled, Task } = given;

  /** What the statements of a program share. */
  class World {
    readonly program: Program;
    readonly log: (label: string) => void;
    readonly loop: EventLoop;
    readonly locks: InstanceType<typeof Lock>[];
    readonly semaphores: InstanceType<typeof Semaphore>[];
    readonly events: InstanceType<typeof Event>[];
    readonly conditions: InstanceType<typeof Condition>[];
    readonly barriers: InstanceType<typeof Barrier>[];
    readonly queues: InstanceType<typeof Queue<number>>[];
    readonly futures: Future<unknown>[];
    readonly variable = new ContextVar<number>("v", { default: 0 });
    /** Tasks and futures that were put away, and their nodes. */
    readonly slots = new Map<number, Future<unknown>>();
    readonly nodes = new Map<number, number>();
    /** Who waits for whom, by node. */
    readonly links: Set<number>[] = [new Set()];
    readonly handles = new Map<number, Handle>();
    readonly callbacks = new Map<number, readonly [Future<unknown>, () => void]>();
    counter = 0;

    constructor(program: Program, { log, loop }: Tools) {
      const { objects } = program;
      this.program = program;
      this.log = log;
      this.loop = loop;
      this.locks = Array.from({ length: objects.locks }, () => new Lock());
      this.semaphores = objects.semaphores.map(([value, bounded]) => new (bounded ? BoundedSemaphore : Semaphore)(value));
      this.events = Array.from({ length: objects.events }, () => new Event());
      this.conditions = Array.from(
        { length: objects.conditions },
        (_, i) => new Condition(i < objects.shared ? this.locks[i] : undefined),
      );
      this.barriers = objects.barriers.map((parties) => new Barrier(parties));
      this.queues = objects.queues.map(
        ([size, kind]) => new ({ f: Queue<number>, l: LifoQueue<number>, p: PriorityQueue<number> })[kind](size),
      );
      this.futures = Array.from({ length: objects.futures }, () => loop.createFuture<unknown>());
    }

    /** A new node of the graph of who waits for whom. */
    node(): number {
      return this.links.push(new Set()) - 1;
    }

    /** Notes that `a` waits for `b`; false if `b` waits for `a` already, as a cancellation would run in circles. */
    link(a: number, b: number): boolean {
      const seen = new Set<number>();
      const todo = [b];
      for (let x = todo.pop(); x !== undefined; x = todo.pop()) {
        if (x === a) return false;
        if (seen.has(x)) continue;
        seen.add(x);
        todo.push(...at(this.links, x));
      }
      at(this.links, a).add(b);
      return true;
    }

    /** Puts a task or future away. */
    keep(slot: number, future: Future<unknown>, node: number): void {
      this.slots.set(slot, future);
      this.nodes.set(slot, node);
    }
  }

  /** Where a body is in its blocks. */
  interface Env {
    groups: readonly (readonly [group: TaskGroup, node: number])[];
    readonly node: number;
    readonly scopes: Timeout[];
  }

  /** What a block gives that ended by a return statement; others give null. */
  class Returned {
    readonly value: unknown;
    constructor(value: unknown) {
      this.value = value;
    }
  }

  const WAITS = Symbol("the statement may wait");

  function at<T>(list: readonly T[], index: number): T {
    if (index >= list.length) throw new TypeError(`no object ${index}`);
    return list[index] as T;
  }

  function outward<T>(list: readonly T[], steps: number): T {
    return list.at(-1 - (steps % list.length)) as T;
  }

  function state(future: Future<unknown> | undefined): string {
    if (future === undefined) return "empty";
    if (!future.done()) return "pending";
    if (future.cancelled()) return "cancelled";
    const error = future.exception();
    return error !== null ? `!${showError(error)}` : `=${show(future.result())}`;
  }

  /** A statement that does not wait; gives its result. */
  function act(w: World, tag: string, s: Statement): unknown {
    switch (s.kind) {
      case "log":
        return w.loop.time();
      case "cancel": {
        const future = w.slots.get(s.slot);
        return future === undefined ? "empty" : future.cancel(...(s.message === "" ? [] : [s.message]));
      }
      case "cancelling": {
        const future = w.slots.get(s.slot);
        return future instanceof Task ? future.cancelling() : "none";
      }
      case "uncancelother": {
        const future = w.slots.get(s.slot);
        return future instanceof Task ? future.uncancel() : "none";
      }
      case "state":
        return state(w.slots.get(s.slot));
      case "setf":
        return at(w.futures, s.index).setResult(s.id);
      case "setfe":
        return at(w.futures, s.index).setException(new Boom(`f${s.id}`));
      case "cancelf":
        return at(w.futures, s.index).cancel(...(s.message === "" ? [] : [s.message]));
      case "newf":
        w.futures[s.index] = w.loop.createFuture();
        return null;
      case "addcb": {
        const future = s.target[0] === "f" ? at(w.futures, s.target[1]) : w.slots.get(s.target[1]);
        if (future === undefined) return "empty";
        const callback = callbackOf(w, tag, s);
        w.callbacks.set(s.id, [future, callback]);
        return future.addDoneCallback(callback);
      }
      case "rmcb": {
        const added = w.callbacks.get(s.added);
        return added === undefined ? "none" : added[0].removeDoneCallback(added[1]);
      }
      case "soon":
        w.handles.set(s.handle, w.loop.callSoon(callbackOf(w, tag, s)));
        return null;
      case "later":
        w.handles.set(s.handle, w.loop.callLater(s.delay, callbackOf(w, tag, s)));
        return null;
      case "at":
        w.handles.set(s.handle, w.loop.callAt(s.delay, callbackOf(w, tag, s)));
        return null;
      case "unhandle": {
        const handle = w.handles.get(s.handle);
        return handle === undefined ? "none" : handle.cancel();
      }
      case "boom":
        throw new Boom(`a${s.id}`);
      case "lockrel":
        return at(w.locks, s.index).release();
      case "locked":
        return at(w.locks, s.index).locked();
      case "semrel":
        return at(w.semaphores, s.index).release();
      case "semlocked":
        return at(w.semaphores, s.index).locked();
      case "eset":
        return at(w.events, s.index).set();
      case "eclear":
        return at(w.events, s.index).clear();
      case "cnotify":
        return at(w.conditions, s.index).notify(s.count);
      case "cnotifyall":
        return at(w.conditions, s.index).notifyAll();
      case "inc":
        return ++w.counter;
      case "bstate":
        return `${at(w.barriers, s.index).nWaiting}${show(at(w.barriers, s.index).broken)}`;
      case "qputn":
        return at(w.queues, s.index).putNowait(s.id);
      case "qgetn":
        return at(w.queues, s.index).getNowait();
      case "qdone":
        return at(w.queues, s.index).taskDone();
      case "qshut":
        return at(w.queues, s.index).shutdown({ immediate: s.immediate });
      case "qstate":
        return `${at(w.queues, s.index).qsize()}${show(at(w.queues, s.index).full())}`;
      case "setvar":
        w.variable.set(s.id);
        return null;
      case "getvar":
        return w.variable.get();
      case "shieldstore": {
        const node = w.node();
        const item = itemOf(w, tag, s, s.target, 0, node);
        if (item === undefined) return "empty";
        w.keep(s.slot, shield(item), node);
        return null;
      }
      case "gatherstore": {
        const node = w.node();
        w.keep(s.slot, gather(itemsOf(w, tag, s, node), { returnExceptions: s.returnExceptions }), node);
        return null;
      }
      default:
        return WAITS;
    }
  }

  function callbackOf(w: World, tag: string, s: Statement & { readonly actions: readonly Statement[] }): () => void {
    return () => {
      for (const action of s.actions) {
        const label = `${tag}.cb${s.id}.${action.id} ${action.kind}`;
        let result: unknown;
        try {
          result = act(w, `${tag}.cb${s.id}`, action);
        } catch (error) {
          w.log(`${label}!${showError(error)}`);
          if (action.kind === "boom") throw error;
          continue;
        }
        w.log(`${label}=${show(result)}`);
      }
    };
  }

  /** Something to wait for; undefined if the slot is empty or waits for us. */
  function itemOf(w: World, tag: string, s: Statement, target: Target, i: number, node: number): Job<unknown> | undefined {
    const [kind, index] = target;
    if (kind === "f") return at(w.futures, index);
    if (kind === "t") return w.slots.has(index) && w.link(node, w.nodes.get(index) as number) ? w.slots.get(index) : undefined;
    const own = w.node();
    w.link(node, own);
    return job(runBody, w, `${tag}/${s.id}${"abc"[i]}`, index, [], own);
  }

  function itemsOf(
    w: World,
    tag: string,
    s: Statement & { readonly targets: readonly Target[] },
    node: number,
  ): Job<unknown>[] {
    return s.targets.map((target, i) => itemOf(w, tag, s, target, i, node)).filter((item) => item !== undefined);
  }

  const runBody = define(function* runBody(
    w: World,
    tag: string,
    body: number,
    groups: Env["groups"],
    node: number,
  ): Coroutine<unknown> {
    w.log(`${tag} start`);
    let returned: Returned | null;
    try {
      returned = yield* block(w, tag, { groups, node, scopes: [] }, at(w.program.bodies, body));
    } catch (error) {
      w.log(`${tag} end!${showError(error)}`);
      throw error;
    }
    const value = returned === null ? null : returned.value;
    w.log(`${tag} end=${show(value)}`);
    return value;
  });

  const block = define(function* block(
    w: World,
    tag: string,
    env: Env,
    statements: readonly Statement[],
  ): Coroutine<Returned | null> {
    for (const s of statements) {
      const label = `${tag}.${s.id} ${s.kind}`;
      let result: unknown;
      try {
        result = act(w, tag, s);
      } catch (error) {
        w.log(`${label}!${showError(error)}`);
        if (s.kind === "boom") throw error;
        continue;
      }
      if (result !== WAITS) {
        w.log(`${label}=${show(result)}`);
        continue;
      }
      if (s.kind === "return") return new Returned(s.value);
      if (s.kind === "raise") throw s.error === "boom" ? new Boom(`r${s.id}`) : new CancelledError(`r${s.id}`);
      if (s.kind === "try") {
        const returned = yield* attempt(w, tag, env, s);
        if (returned !== null) return returned;
        continue;
      }
      try {
        result = yield* step(w, tag, env, s);
      } catch (error) {
        w.log(`${label}!${showError(error)}`);
        if (s.safe === true && !isCancelled(error)) continue;
        throw error;
      }
      if (result instanceof Returned) return result;
      w.log(`${label}=${show(result)}`);
    }
    return null;
  });

  const attempt = define(function* attempt(w: World, tag: string, env: Env, s: StatementOf<"try">): Coroutine<Returned | null> {
    const label = `${tag}.${s.id}`;
    try {
      try {
        return yield* block(w, tag, env, s.block);
      } catch (error) {
        w.log(`${label} except ${showError(error)} ${self().cancelling()}`);
        if (!isCancelled(error)) {
          if (s.reraise) throw error;
          return null;
        }
        if (s.cancelled === null) throw error;
        const returned = yield* block(w, tag, env, s.cancelled);
        if (returned !== null) return returned;
        if (s.afterwards === "raise") throw error;
        if (s.afterwards === "boom") throw new Boom(`x${s.id}`);
        if (s.afterwards === "uncancel") w.log(`${label} uncancel ${self().uncancel()}`);
        return null;
      }
    } finally {
      if (s.finally !== null) yield* block(w, tag, env, s.finally);
    }
  });

  function self(): NonNullable<ReturnType<typeof currentTask>> {
    const task = currentTask();
    if (task === null) throw new TypeError("no current task");
    return task;
  }

  /** A statement that may wait. */
  const step = define(function* step(w: World, tag: string, env: Env, s: Statement): Coroutine<unknown> {
    switch (s.kind) {
      case "sleep":
        return yield* sleep(s.delay, s.id);
      case "turns":
        for (let i = 0; i < s.count; i++) yield* sleep(0);
        return null;
      case "spawn": {
        const node = w.node();
        const body = job(runBody, w, `${tag}>${s.id}`, s.body, env.groups, node);
        w.keep(s.slot, createTask(body, { eager: s.eager }), node);
        return null;
      }
      case "cancelself":
        return self().cancel(...(s.message ? [s.message] : []));
      case "uncancel":
        return self().uncancel();
      case "selfcount":
        return self().cancelling();
      case "await": {
        const item = itemOf(w, tag, s, s.target, 0, env.node);
        return item === undefined ? "empty" : yield* begin(item);
      }
      case "gather":
        return yield* gather(itemsOf(w, tag, s, env.node), { returnExceptions: s.returnExceptions });
      case "wait": {
        const futures = itemsOf(w, tag, s, env.node) as Future<unknown>[];
        if (futures.length === 0) return "skip";
        const { done, pending } = yield* wait(futures, { timeout: s.delay ?? undefined, returnWhen: s.returnWhen });
        return futures.map((each) => (done.has(each) ? "d" : pending.has(each) ? "p" : "?")).join("");
      }
      case "ascomp": {
        const items = itemsOf(w, tag, s, env.node);
        let left = s.count;
        for (const next of asCompleted(items, { timeout: s.delay ?? undefined })) {
          if (left-- === 0) break;
          let result: unknown;
          try {
            result = yield* next;
          } catch (error) {
            if (isCancelled(error)) throw error;
            w.log(`${tag}.${s.id} next!${showError(error)}`);
            continue;
          }
          w.log(`${tag}.${s.id} next=${show(result)}`);
        }
        return null;
      }
      case "waitfor": {
        const item = itemOf(w, tag, s, s.target, 0, env.node);
        return item === undefined ? "empty" : yield* waitFor(item, s.delay);
      }
      case "shield": {
        const item = itemOf(w, tag, s, s.target, 0, env.node);
        return item === undefined ? "empty" : yield* shield(item);
      }
      case "timeout": {
        const open = s.delay === null || !s.absolute ? timeout : timeoutAt;
        let scope: Timeout | undefined;
        try {
          return yield* open(s.delay, function* (made: Timeout) {
            scope = made;
            env.scopes.push(made);
            return yield* block(w, tag, env, s.block);
          });
        } finally {
          env.scopes.pop();
          w.log(`${tag}.${s.id} expired ${show(scope?.expired())} ${self().cancelling()}`);
        }
      }
      case "resched": {
        if (env.scopes.length === 0) return "none";
        try {
          outward(env.scopes, s.outward).reschedule(s.delay === null ? null : w.loop.time() + s.delay);
        } catch (error) {
          return showError(error);
        }
        return null;
      }
      case "group": {
        const returned = yield* taskGroup(function* (group: TaskGroup) {
          env.groups = [...env.groups, [group, env.node]];
          try {
            return yield* block(w, tag, env, s.block);
          } finally {
            env.groups = env.groups.slice(0, -1);
          }
        });
        w.log(`${tag}.${s.id} left ${self().cancelling()}`);
        return returned;
      }
      case "gspawn": {
        if (env.groups.length === 0) return "none";
        const [group, owner] = outward(env.groups, s.outward);
        const node = w.node();
        w.link(owner, node);
        const body = job(runBody, w, `${tag}>${s.id}`, s.body, env.groups, node);
        try {
          w.keep(s.slot, group.createTask(body, { eager: s.eager }), node);
        } catch (error) {
          return showError(error);
        }
        return null;
      }
      case "lockwith":
        return yield* at(w.locks, s.index).with(function* () {
          return yield* block(w, tag, env, s.block);
        });
      case "semwith":
        return yield* at(w.semaphores, s.index).with(function* () {
          return yield* block(w, tag, env, s.block);
        });
      case "condwith":
        return yield* at(w.conditions, s.index).with(function* () {
          return yield* block(w, tag, env, s.block);
        });
      case "lockacq":
        return yield* at(w.locks, s.index).acquire();
      case "semacq":
        return yield* at(w.semaphores, s.index).acquire();
      case "ewait":
        return yield* at(w.events, s.index).wait();
      case "cwait":
        return yield* at(w.conditions, s.index).wait();
      case "cwaitfor":
        return yield* at(w.conditions, s.index).waitFor(() => w.counter >= s.count);
      case "bwait":
        return yield* at(w.barriers, s.index).wait();
      case "breset":
        return yield* at(w.barriers, s.index).reset();
      case "babort":
        return yield* at(w.barriers, s.index).abort();
      case "qput":
        return yield* at(w.queues, s.index).put(s.id);
      case "qget":
        return yield* at(w.queues, s.index).get();
      case "qjoin":
        return yield* at(w.queues, s.index).join();
      default:
        throw new TypeError(`no such statement: ${s.kind}`);
    }
  });

  function* main(w: World): Coroutine<void> {
    // Nothing hangs for long: futures are resolved, then everybody is cancelled.
    const me = self();
    w.loop.callAt(9, () => {
      for (const future of w.futures) if (!future.done()) future.setResult("late");
    });
    w.loop.callAt(13, () => me.cancel("watchdog"));
    w.loop.callAt(14, () => me.cancel("watchdog2"));
    try {
      const returned = yield* block(w, "m", { groups: [], node: 0, scopes: [] }, w.program.main);
      w.log(`m end=${show(returned === null ? null : returned.value)}`);
    } catch (error) {
      w.log(`m end!${showError(error)}`);
    }
    const slots = () => [...w.slots].sort(([a], [b]) => a - b);
    for (let i = 0; i < 3; i++) {
      try {
        yield* sleep(7);
        for (const [slot, future] of slots()) if (!future.done()) w.log(`cancel ${slot} ${show(future.cancel("end"))}`);
      } catch (error) {
        w.log(`drain!${showError(error)}`);
      }
    }
    for (const [slot, future] of slots()) w.log(`slot ${slot} ${state(future)}`);
  }

  return (program, tools) => () => main(new World(program, tools));
}
