/** Runs a program that is given as data. Twin of python/interpreter.py, statement by statement. */

import type { Awaitable, Context, Coroutine, EventLoop, Future, Handle, Job, TaskGroup, Timeout, Token } from "tsyncio";
import * as library from "tsyncio";
import { asAsync, type Form, isCalled } from "./form.ts";
import type { Factory, Held, Immediate, Operation, Program, Statement, StatementOf, Target, Waiting } from "./program.ts";
import { Boom, show, showError, type Tools, type Trace, traceOf } from "./trace.ts";

type Interpreter = (program: Program, tools: Tools) => Job<unknown>;

const interpreters = new Map<Form, Interpreter>();

/** The trace of a program, written in one of the forms. */
export function runProgram(program: Program, form: Form, factory: Factory): Promise<Trace> {
  const interpret = interpreters.get(form) ?? makeInterpreter(form);
  interpreters.set(form, interpret);
  return traceOf((tools) => interpret(program, tools), factory === "eager");
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
  const { allTasks, asCompleted, copyContext, createTask, currentTask, ensureFuture, gather, shield, sleep } = given;
  const { CancelledError, isCancelled, Task, taskGroup, timeout, timeoutAt, wait, waitFor } = given;
  const { Barrier, BoundedSemaphore, Condition, ContextVar, Event, LifoQueue, Lock, PriorityQueue, Queue, Semaphore } = given;

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
    /** Tasks and futures that were put away. */
    readonly slots: Future<unknown>[];
    readonly variable = new ContextVar<number>("v", { default: 0 });
    readonly contexts: Context[];
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
      const done = loop.createFuture<unknown>();
      done.setResult("empty");
      this.slots = Array.from({ length: objects.slots }, (_, i) =>
        i % 2 === 0 ? done : at(this.futures, i % objects.futures),
      );
      this.contexts = Array.from({ length: objects.contexts }, () => copyContext());
    }
  }

  /** Where a statement stands. */
  interface Env {
    /** What its labels begin with. */
    readonly tag: string;
    readonly groups: readonly TaskGroup[];
    readonly scopes: readonly Timeout[];
    /** What the body has to reset the variable with. */
    readonly own: { token: Token<number> | null };
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

  /** What encloses the statement, counted outward. */
  function outward<T>(list: readonly T[], steps: number): T {
    if (list.length === 0) throw new Boom("not inside");
    return list.at(-1 - (steps % list.length)) as T;
  }

  /** The arguments of a cancel(). */
  function message(s: { readonly message: string }): [message?: string] {
    return s.message === "" ? [] : [s.message];
  }

  function state(future: Future<unknown>): string {
    if (!future.done()) return "pending";
    if (future.cancelled()) return "cancelled";
    const error = future.exception();
    return error !== null ? `!${showError(error)}` : `=${show(future.result())}`;
  }

  function held(w: World, [kind, index]: Held): Future<unknown> {
    return at(kind === "f" ? w.futures : w.slots, index);
  }

  function self(): NonNullable<ReturnType<typeof currentTask>> {
    const task = currentTask();
    if (task === null) throw new TypeError("no current task");
    return task;
  }

  /** A statement that does not wait; gives its result. */
  function act(w: World, env: Env, s: Statement): unknown {
    switch (s.kind) {
      case "log":
        return w.loop.time();
      case "boom":
        throw new Boom(`a${s.id}`);
      case "inc":
        return ++w.counter;
      case "cancelself":
        return self().cancel(...message(s));
      case "uncancel":
        return self().uncancel();
      case "selfcount":
        return self().cancelling();
      case "who":
        return currentTask()?.name.replace(/^Task-\d+$/, "unnamed");
      case "alltasks":
        return allTasks().size;
      case "setvar":
        env.own.token = w.variable.set(s.id);
        return null;
      case "getvar":
        return w.variable.get();
      case "resetvar":
        return env.own.token === null ? "none" : w.variable.reset(env.own.token);
      case "spawn": {
        const options = {
          name: `n${s.id}`,
          ...(s.eager === null ? {} : { eager: s.eager }),
          ...(s.context === null ? {} : { context: at(w.contexts, s.context) }),
        };
        w.slots[s.slot] = createTask(job(runBody, w, `${env.tag}>${s.id}`, s.body, env.groups), options);
        return null;
      }
      case "gspawn": {
        const options = { name: `n${s.id}`, ...(s.eager === null ? {} : { eager: s.eager }) };
        const group = outward(env.groups, s.outward);
        w.slots[s.slot] = group.createTask(job(runBody, w, `${env.tag}>${s.id}`, s.body, env.groups), options);
        return null;
      }
      case "cancel":
        return at(w.slots, s.slot).cancel(...message(s));
      case "state":
        return state(held(w, s.target));
      case "result":
        return held(w, s.target).result();
      case "exception":
        return held(w, s.target).exception();
      case "cancelling": {
        const future = at(w.slots, s.slot);
        return future instanceof Task ? future.cancelling() : "none";
      }
      case "uncancelother": {
        const future = at(w.slots, s.slot);
        return future instanceof Task ? future.uncancel() : "none";
      }
      case "name": {
        const future = at(w.slots, s.slot);
        return future instanceof Task ? future.name.replace(/^Task-\d+$/, "unnamed") : "none";
      }
      case "rename": {
        const future = at(w.slots, s.slot);
        if (future instanceof Task) future.name = `r${s.id}`;
        return null;
      }
      case "setf":
        return at(w.futures, s.index).setResult(s.id);
      case "setfe":
        return at(w.futures, s.index).setException(new Boom(`f${s.id}`));
      case "cancelf":
        return at(w.futures, s.index).cancel(...message(s));
      case "newf":
        w.futures[s.index] = w.loop.createFuture();
        return null;
      case "addcb": {
        const future = held(w, s.target);
        const callback = callbackOf(w, env, s);
        w.callbacks.set(s.id, [future, callback]);
        return future.addDoneCallback(callback, s.context === null ? {} : { context: at(w.contexts, s.context) });
      }
      case "rmcb": {
        const added = w.callbacks.get(s.added);
        return added === undefined ? "none" : added[0].removeDoneCallback(added[1]);
      }
      case "soon":
        w.handles.set(s.handle, w.loop.callSoon(callbackOf(w, env, s)));
        return null;
      case "later":
        w.handles.set(s.handle, w.loop.callLater(s.delay, callbackOf(w, env, s)));
        return null;
      case "at":
        w.handles.set(s.handle, w.loop.callAt(s.delay, callbackOf(w, env, s)));
        return null;
      case "unhandle": {
        const handle = w.handles.get(s.handle);
        return handle === undefined ? "none" : handle.cancel();
      }
      case "inctx":
        return at(w.contexts, s.index).run(callbackOf(w, env, s));
      case "gatherstore":
        w.slots[s.slot] = gather(jobsOf(w, env, s), { returnExceptions: s.returnExceptions });
        return null;
      case "shieldstore":
        w.slots[s.slot] = shield(jobOf(w, env, s, s.target));
        return null;
      case "resched":
        return outward(env.scopes, s.outward).reschedule(s.delay === null ? null : w.loop.time() + s.delay);
      case "scopestate": {
        const scope = outward(env.scopes, s.outward);
        return `${scope.when() === Number.POSITIVE_INFINITY ? "never" : scope.when()} ${scope.expired()}`;
      }
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
      case "estate":
        return at(w.events, s.index).isSet();
      case "cnotify":
        return at(w.conditions, s.index).notify(s.count);
      case "cnotifyall":
        return at(w.conditions, s.index).notifyAll();
      case "bstate":
        return `${at(w.barriers, s.index).nWaiting} ${at(w.barriers, s.index).broken}`;
      case "qputn":
        return at(w.queues, s.index).putNowait(s.item);
      case "qgetn":
        return at(w.queues, s.index).getNowait();
      case "qdone":
        return at(w.queues, s.index).taskDone();
      case "qshut":
        return at(w.queues, s.index).shutdown({ immediate: s.immediate });
      case "qstate":
        return `${at(w.queues, s.index).qsize()} ${at(w.queues, s.index).empty()} ${at(w.queues, s.index).full()}`;
      default:
        return WAITS;
    }
  }

  function callbackOf(w: World, outer: Env, s: { readonly id: number; readonly actions: readonly Immediate[] }): () => void {
    const env: Env = { ...outer, tag: `${outer.tag}.cb${s.id}`, own: { token: null } };
    return () => {
      for (const action of s.actions) perform(w, env, action);
    };
  }

  /** Runs a statement that does not wait, and notes what came of it; gives WAITS if it may wait. */
  function perform(w: World, env: Env, s: Statement): unknown {
    const label = `${env.tag}.${s.id} ${s.kind}`;
    let result: unknown;
    try {
      result = act(w, env, s);
    } catch (error) {
      w.log(`${label}!${showError(error)}`);
      if (s.kind === "boom") throw error;
      return null;
    }
    if (result !== WAITS) w.log(`${label}=${show(result)}`);
    return result;
  }

  /** Something to wait for. */
  function jobOf(w: World, env: Env, s: { readonly id: number }, target: Target, i = 0): Job<unknown> {
    if (target[0] === "b") return job(runBody, w, `${env.tag}/${s.id}${"abc"[i]}`, target[1], []);
    return target[0] === "o" ? operation(w, env, target[1]) : held(w, target);
  }

  function jobsOf(w: World, env: Env, s: { readonly id: number; readonly targets: readonly Target[] }): Job<unknown>[] {
    return s.targets.map((target, i) => jobOf(w, env, s, target, i));
  }

  /** What wait() takes in Python: futures, and tasks made of the rest. */
  function futuresOf(w: World, env: Env, s: { readonly id: number; readonly targets: readonly Target[] }): Future<unknown>[] {
    return jobsOf(w, env, s).map((each) => ensureFuture(each));
  }

  /** Something that is not begun yet, to be awaited here or by somebody else. */
  function operation(w: World, env: Env, s: Operation): Awaitable<unknown> {
    switch (s.kind) {
      case "sleep":
        return sleep(s.delay, s.id);
      case "gather":
        return gather(jobsOf(w, env, s), { returnExceptions: s.returnExceptions });
      case "waitfor":
        return waitFor(jobOf(w, env, s, s.target), s.delay);
      case "shield":
        return shield(jobOf(w, env, s, s.target));
      case "lockacq":
        return at(w.locks, s.index).acquire();
      case "semacq":
        return at(w.semaphores, s.index).acquire();
      case "ewait":
        return at(w.events, s.index).wait();
      case "cwait":
        return at(w.conditions, s.index).wait();
      case "cwaitfor":
        return at(w.conditions, s.index).waitFor(() => w.counter >= s.count);
      case "bwait":
        return at(w.barriers, s.index).wait();
      case "breset":
        return at(w.barriers, s.index).reset();
      case "babort":
        return at(w.barriers, s.index).abort();
      case "qput":
        return at(w.queues, s.index).put(s.item);
      case "qget":
        return at(w.queues, s.index).get();
      case "qjoin":
        return at(w.queues, s.index).join();
    }
  }

  const runBody = define(function* runBody(w: World, tag: string, body: number, groups: Env["groups"]): Coroutine<unknown> {
    w.log(`${tag} start`);
    let returned: Returned | null;
    try {
      returned = yield* block(w, { tag, groups, scopes: [], own: { token: null } }, at(w.program.bodies, body));
    } catch (error) {
      w.log(`${tag} end!${showError(error)}`);
      throw error;
    }
    const value = returned === null ? null : returned.value;
    w.log(`${tag} end=${show(value)}`);
    return value;
  });

  const block = define(function* block(w: World, env: Env, statements: readonly Statement[]): Coroutine<Returned | null> {
    for (const s of statements) {
      if (perform(w, env, s) !== WAITS) continue;
      if (s.kind === "return") return new Returned(s.value);
      if (s.kind === "raise") throw s.error === "boom" ? new Boom(`r${s.id}`) : new CancelledError(`r${s.id}`);
      if (s.kind === "try") {
        const returned = yield* attempt(w, env, s);
        if (returned !== null) return returned;
        continue;
      }
      const label = `${env.tag}.${s.id} ${s.kind}`;
      let result: unknown;
      try {
        result = yield* step(w, env, s as Waiting);
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

  const attempt = define(function* attempt(w: World, env: Env, s: StatementOf<"try">): Coroutine<Returned | null> {
    const label = `${env.tag}.${s.id}`;
    try {
      return yield* block(w, env, s.block);
    } catch (error) {
      w.log(`${label} except ${showError(error)} ${self().cancelling()}`);
      if (!isCancelled(error)) {
        if (s.reraise) throw error;
        return null;
      }
      if (s.cancelled === null) throw error;
      const returned = yield* block(w, env, s.cancelled);
      if (returned !== null) return returned;
      if (s.afterwards === "raise") throw error;
      if (s.afterwards === "boom") throw new Boom(`x${s.id}`);
      if (s.afterwards === "uncancel") w.log(`${label} uncancel ${self().uncancel()}`);
      return null;
    } finally {
      if (s.finally !== null) yield* block(w, env, s.finally);
    }
  });

  /** A statement that may wait. */
  const step = define(function* step(w: World, env: Env, s: Statement): Coroutine<unknown> {
    const label = `${env.tag}.${s.id}`;
    switch (s.kind) {
      case "turns":
        for (let i = 0; i < s.count; i++) yield* sleep(0);
        return null;
      case "await":
        return yield* begin(jobOf(w, env, s, s.target));
      case "wait": {
        const futures = futuresOf(w, env, s);
        const { done, pending } = yield* wait(futures, { timeout: s.delay ?? undefined, returnWhen: s.returnWhen });
        return futures.map((each) => (done.has(each) ? "d" : pending.has(each) ? "p" : "?")).join("");
      }
      case "ascomp": {
        let left = s.count;
        for (const next of asCompleted(jobsOf(w, env, s), { timeout: s.delay ?? undefined })) {
          if (left-- === 0) break;
          let result: unknown;
          try {
            result = yield* next;
          } catch (error) {
            if (isCancelled(error)) throw error;
            w.log(`${label} next!${showError(error)}`);
            continue;
          }
          w.log(`${label} next=${show(result)}`);
        }
        return null;
      }
      case "ascompasync": {
        // A `for await` by hand, as this text is that of a `function*` as well; it comes here as an async function alone.
        const jobs = jobsOf(w, env, s);
        const iterator = asCompleted(jobs, { timeout: s.delay ?? undefined })[Symbol.asyncIterator]();
        for (let left = s.count; left > 0; left--) {
          const next = yield* iterator.next() as never as Coroutine<IteratorResult<Future<unknown>, void>>;
          if (next.done === true) break;
          w.log(`${label} next ${jobs.indexOf(next.value)} ${state(next.value)}`);
        }
        return null;
      }
      case "timeout": {
        const open = s.absolute ? timeoutAt : timeout;
        let scope: Timeout | undefined;
        try {
          return yield* open(s.delay, function* (made: Timeout) {
            scope = made;
            return yield* block(w, { ...env, scopes: [...env.scopes, made] }, s.block);
          });
        } finally {
          w.log(`${label} expired ${scope?.expired()} ${self().cancelling()}`);
        }
      }
      case "group": {
        const returned = yield* taskGroup(function* (group: TaskGroup) {
          return yield* block(w, { ...env, groups: [...env.groups, group] }, s.block);
        });
        if (returned === null) w.log(`${label} left ${self().cancelling()}`);
        return returned;
      }
      case "lockwith":
        return yield* at(w.locks, s.index).with(function* () {
          return yield* block(w, env, s.block);
        });
      case "semwith":
        return yield* at(w.semaphores, s.index).with(function* () {
          return yield* block(w, env, s.block);
        });
      case "condwith":
        return yield* at(w.conditions, s.index).with(function* () {
          return yield* block(w, env, s.block);
        });
      case "barwith":
        return yield* at(w.barriers, s.index).with(function* (position: number) {
          w.log(`${label} position ${position}`);
          return yield* block(w, env, s.block);
        });
      default:
        return yield* operation(w, env, s as Operation) as Coroutine<unknown>;
    }
  });

  function* main(w: World): Coroutine<void> {
    // Nothing hangs for long: futures are resolved, then everybody is cancelled.
    const me = self();
    const { horizon } = w.program;
    w.loop.callAt(horizon - 5, () => {
      for (const future of w.futures) if (!future.done()) future.setResult("late");
    });
    w.loop.callAt(horizon - 1, () => me.cancel("watchdog"));
    w.loop.callAt(horizon, () => me.cancel("watchdog2"));
    try {
      const returned = yield* block(w, { tag: "m", groups: [], scopes: [], own: { token: null } }, w.program.main);
      w.log(`m end=${show(returned === null ? null : returned.value)}`);
    } catch (error) {
      w.log(`m end!${showError(error)}`);
    }
    for (let i = 0; i < 3; i++) {
      try {
        yield* sleep(horizon / 2);
        for (const [slot, future] of w.slots.entries()) {
          if (!future.done()) w.log(`cancel ${slot} ${show(future.cancel("end"))}`);
        }
      } catch (error) {
        w.log(`drain!${showError(error)}`);
      }
    }
    for (const [slot, future] of w.slots.entries()) w.log(`slot ${slot} ${state(future)}`);
    for (const [i, lock] of w.locks.entries()) if (lock.locked()) w.log(`held lock ${i}`);
    for (const [i, semaphore] of w.semaphores.entries()) {
      if (semaphore.locked() !== (at(w.program.objects.semaphores, i)[0] === 0))
        w.log(`held semaphore ${i} ${semaphore.locked()}`);
    }
    for (const [i, event] of w.events.entries()) if (event.isSet()) w.log(`held event ${i}`);
    for (const [i, queue] of w.queues.entries()) if (!queue.empty()) w.log(`held queue ${i} ${queue.qsize()}`);
    for (const [i, barrier] of w.barriers.entries()) {
      if (barrier.nWaiting > 0 || barrier.broken) w.log(`held barrier ${i} ${barrier.nWaiting} ${barrier.broken}`);
    }
  }

  return (program, tools) => () => main(new World(program, tools));
}
