"""Runs a program that is given as data. Twin of interpreter.ts: what one does, the other does, statement by statement."""
import contextvars, json, re
from asyncio import (create_task, ensure_future, sleep, current_task, all_tasks, CancelledError, gather, wait, wait_for, as_completed, shield, timeout,
    timeout_at, Task, TaskGroup, Lock, Semaphore, BoundedSemaphore, Event, Condition, Barrier, Queue, LifoQueue, PriorityQueue)

class World:
    """What the statements of a program share. `slots` keeps tasks and futures that were put away."""
    def __init__(w, program, log, loop):
        o = program["objects"]
        w.program = program; w.log = log; w.loop = loop; w.handles = {}; w.callbacks = {}; w.counter = 0
        w.locks = [Lock() for _ in range(o["locks"])]
        w.semaphores = [(BoundedSemaphore if b else Semaphore)(v) for v, b in o["semaphores"]]
        w.events = [Event() for _ in range(o["events"])]
        w.conditions = [Condition(w.locks[i]) if i < o["shared"] else Condition() for i in range(o["conditions"])]
        w.barriers = [Barrier(n) for n in o["barriers"]]
        w.queues = [{"f": Queue, "l": LifoQueue, "p": PriorityQueue}[k](n) for n, k in o["queues"]]
        w.futures = [loop.create_future() for _ in range(o["futures"])]
        done = loop.create_future(); done.set_result("empty")
        w.slots = [w.futures[i % o["futures"]] if i % 2 else done for i in range(o["slots"])]
        w.variable = contextvars.ContextVar("v", default=0)
        w.contexts = [contextvars.copy_context() for _ in range(o["contexts"])]

class Own:
    """What a body has to reset the variable with."""
    def __init__(own): own.token = None

class Env:
    """Where a statement stands: what its labels begin with, the groups and timeouts around it."""
    def __init__(e, tag, groups=(), scopes=(), own=None): e.tag = tag; e.groups = groups; e.scopes = scopes; e.own = own or Own()

def outward(enclosing, steps):
    if not enclosing: raise Boom("not inside")
    return enclosing[-1 - steps % len(enclosing)]

def message(s): return [s["message"]] if s["message"] else []

def state(f):
    if not f.done(): return "pending"
    if f.cancelled(): return "cancelled"
    e = f.exception()
    return "!" + err(e) if e is not None else "=" + fmt(f.result())

def held(w, x): return (w.futures if x[0] == "f" else w.slots)[x[1]]

NOT_SYNC = object()

def act(w, env, s):
    """A statement that does not wait; gives its result."""
    k = s["kind"]
    if k == "log": return w.loop.time()
    if k == "boom": raise Boom(f"a{s['id']}")
    if k == "inc": w.counter += 1; return w.counter
    if k == "cancelself": return current_task().cancel(*message(s))
    if k == "uncancel": return current_task().uncancel()
    if k == "selfcount": return current_task().cancelling()
    if k == "who":
        t = current_task()
        return None if t is None else re.sub(r"^Task-\d+$", "unnamed", t.get_name())
    if k == "alltasks": return len(all_tasks())
    if k == "setvar": env.own.token = w.variable.set(s["id"]); return None
    if k == "getvar": return w.variable.get()
    if k == "resetvar": return "none" if env.own.token is None else w.variable.reset(env.own.token)
    if k == "spawn":
        options = {"name": f"n{s['id']}"}
        if s["eager"] is not None: options["eager_start"] = s["eager"]
        if s["context"] is not None: options["context"] = w.contexts[s["context"]]
        w.slots[s["slot"]] = create_task(run_body(w, f"{env.tag}>{s['id']}", s["body"], env.groups), **options); return None
    if k == "gspawn":
        options = {"name": f"n{s['id']}"}
        if s["eager"] is not None: options["eager_start"] = s["eager"]
        group = outward(env.groups, s["outward"])
        w.slots[s["slot"]] = group.create_task(run_body(w, f"{env.tag}>{s['id']}", s["body"], env.groups), **options); return None
    if k == "cancel": return w.slots[s["slot"]].cancel(*message(s))
    if k == "state": return state(held(w, s["target"]))
    if k == "result": return held(w, s["target"]).result()
    if k == "exception": return held(w, s["target"]).exception()
    if k == "cancelling":
        t = w.slots[s["slot"]]
        return t.cancelling() if isinstance(t, Task) else "none"
    if k == "uncancelother":
        t = w.slots[s["slot"]]
        return t.uncancel() if isinstance(t, Task) else "none"
    if k == "name":
        t = w.slots[s["slot"]]
        return re.sub(r"^Task-\d+$", "unnamed", t.get_name()) if isinstance(t, Task) else "none"
    if k == "rename":
        t = w.slots[s["slot"]]
        return t.set_name(f"r{s['id']}") if isinstance(t, Task) else None
    if k == "setf": return w.futures[s["index"]].set_result(s["id"])
    if k == "setfe": return w.futures[s["index"]].set_exception(Boom(f"f{s['id']}"))
    if k == "cancelf": return w.futures[s["index"]].cancel(*message(s))
    if k == "newf": w.futures[s["index"]] = w.loop.create_future(); return None
    if k == "addcb":
        f = held(w, s["target"]); cb = callback(w, env, s); w.callbacks[s["id"]] = (f, cb)
        return f.add_done_callback(cb, **({} if s["context"] is None else {"context": w.contexts[s["context"]]}))
    if k == "rmcb":
        c = w.callbacks.get(s["added"])
        return "none" if c is None else c[0].remove_done_callback(c[1])
    if k == "soon": w.handles[s["handle"]] = w.loop.call_soon(callback(w, env, s)); return None
    if k == "later": w.handles[s["handle"]] = w.loop.call_later(s["delay"], callback(w, env, s)); return None
    if k == "at": w.handles[s["handle"]] = w.loop.call_at(s["delay"], callback(w, env, s)); return None
    if k == "unhandle":
        h = w.handles.get(s["handle"])
        return "none" if h is None else h.cancel()
    if k == "inctx": return w.contexts[s["index"]].run(callback(w, env, s))
    if k == "gatherstore": w.slots[s["slot"]] = gather(*items(w, env, s), return_exceptions=s["returnExceptions"]); return None
    if k == "shieldstore": w.slots[s["slot"]] = shield(item(w, env, s, s["target"])); return None
    if k == "resched": return outward(env.scopes, s["outward"]).reschedule(None if s["delay"] is None else w.loop.time() + s["delay"])
    if k == "scopestate":
        scope = outward(env.scopes, s["outward"])
        return f"{'never' if scope.when() is None else fmt(scope.when())} {fmt(scope.expired())}"
    if k == "lockrel": return w.locks[s["index"]].release()
    if k == "locked": return w.locks[s["index"]].locked()
    if k == "semrel": return w.semaphores[s["index"]].release()
    if k == "semlocked": return w.semaphores[s["index"]].locked()
    if k == "eset": return w.events[s["index"]].set()
    if k == "eclear": return w.events[s["index"]].clear()
    if k == "estate": return w.events[s["index"]].is_set()
    if k == "cnotify": return w.conditions[s["index"]].notify(s["count"])
    if k == "cnotifyall": return w.conditions[s["index"]].notify_all()
    if k == "bstate": return f"{w.barriers[s['index']].n_waiting} {fmt(w.barriers[s['index']].broken)}"
    if k == "qputn": return w.queues[s["index"]].put_nowait(s["item"])
    if k == "qgetn": return w.queues[s["index"]].get_nowait()
    if k == "qdone": return w.queues[s["index"]].task_done()
    if k == "qshut": return w.queues[s["index"]].shutdown(immediate=s["immediate"])
    if k == "qstate": q = w.queues[s["index"]]; return f"{q.qsize()} {fmt(q.empty())} {fmt(q.full())}"
    return NOT_SYNC

def callback(w, outer, s):
    env = Env(f"{outer.tag}.cb{s['id']}", outer.groups, outer.scopes)
    def cb(*_):
        for x in s["actions"]: perform(w, env, x)
    return cb

def perform(w, env, s):
    """Runs a statement that does not wait, and notes what came of it; gives NOT_SYNC if it may wait."""
    label = f"{env.tag}.{s['id']} {s['kind']}"
    try: r = act(w, env, s)
    except BaseException as e:
        w.log(f"{label}!{err(e)}")
        if s["kind"] == "boom": raise
        return None
    if r is not NOT_SYNC: w.log(f"{label}={fmt(r)}")
    return r

def item(w, env, s, x, i=0):
    """Something to wait for."""
    if x[0] == "b": return run_body(w, f"{env.tag}/{s['id']}{'abc'[i]}", x[1], ())
    return operation(w, env, x[1]) if x[0] == "o" else held(w, x)

def items(w, env, s): return [item(w, env, s, x, i) for i, x in enumerate(s["targets"])]

def futures(w, env, s):
    """What wait() takes: futures, and tasks made of the rest."""
    return [ensure_future(x) for x in items(w, env, s)]

def operation(w, env, s):
    """Something that is not begun yet, to be awaited here or by somebody else."""
    k = s["kind"]
    if k == "sleep": return sleep(s["delay"], s["id"])
    if k == "gather": return gather(*items(w, env, s), return_exceptions=s["returnExceptions"])
    if k == "waitfor": return wait_for(item(w, env, s, s["target"]), s["delay"])
    if k == "shield": return shield(item(w, env, s, s["target"]))
    if k == "lockacq": return w.locks[s["index"]].acquire()
    if k == "semacq": return w.semaphores[s["index"]].acquire()
    if k == "ewait": return w.events[s["index"]].wait()
    if k == "cwait": return w.conditions[s["index"]].wait()
    if k == "cwaitfor": return w.conditions[s["index"]].wait_for(lambda: w.counter >= s["count"])
    if k == "bwait": return w.barriers[s["index"]].wait()
    if k == "breset": return w.barriers[s["index"]].reset()
    if k == "babort": return w.barriers[s["index"]].abort()
    if k == "qput": return w.queues[s["index"]].put(s["item"])
    if k == "qget": return w.queues[s["index"]].get()
    if k == "qjoin": return w.queues[s["index"]].join()
    raise TypeError("no such statement: " + k)

async def run_body(w, tag, b, groups):
    w.log(tag + " start")
    try:
        r = await block(w, Env(tag, groups), w.program["bodies"][b])
    except BaseException as e:
        w.log(f"{tag} end!{err(e)}"); raise
    v = None if r is None else r[0]
    w.log(f"{tag} end={fmt(v)}")
    return v

class Returned(tuple):
    """What a block gives that ended by a return statement; others give None."""

async def block(w, env, statements):
    for s in statements:
        if perform(w, env, s) is not NOT_SYNC: continue
        k = s["kind"]; label = f"{env.tag}.{s['id']} {k}"
        if k == "return": return Returned([s["value"]])
        if k == "raise": raise Boom(f"r{s['id']}") if s["error"] == "boom" else CancelledError(f"r{s['id']}")
        if k == "try":
            r = await attempt(w, env, s)
            if r is not None: return r
            continue
        try:
            r = await step(w, env, s)
        except BaseException as e:
            w.log(f"{label}!{err(e)}")
            if s.get("safe") and isinstance(e, Exception): continue
            raise
        if isinstance(r, Returned): return r
        w.log(f"{label}={fmt(r)}")
    return None

async def attempt(w, env, s):
    label = f"{env.tag}.{s['id']}"
    try:
        return await block(w, env, s["block"])
    except CancelledError as e:
        w.log(f"{label} except {err(e)} {current_task().cancelling()}")
        if s["cancelled"] is None: raise
        r = await block(w, env, s["cancelled"])
        if r is not None: return r
        if s["afterwards"] == "raise": raise
        if s["afterwards"] == "boom": raise Boom(f"x{s['id']}")
        if s["afterwards"] == "uncancel": w.log(f"{label} uncancel {current_task().uncancel()}")
        return None
    except BaseException as e:
        w.log(f"{label} except {err(e)} {current_task().cancelling()}")
        if s["reraise"]: raise
        return None
    finally:
        if s["finally"] is not None: await block(w, env, s["finally"])

async def step(w, env, s):
    """A statement that may wait."""
    k = s["kind"]; label = f"{env.tag}.{s['id']}"
    if k == "turns":
        for _ in range(s["count"]): await sleep(0)
        return None
    if k == "await": return await item(w, env, s, s["target"])
    if k == "wait":
        fs = futures(w, env, s)
        d, p = await wait(fs, timeout=s["delay"], return_when=s["returnWhen"])
        return "".join("d" if f in d else "p" if f in p else "?" for f in fs)
    if k == "ascomp":
        left = s["count"]
        for x in as_completed(items(w, env, s), timeout=s["delay"]):
            if left == 0:
                x.close(); break
            left -= 1
            try: w.log(f"{label} next={fmt(await x)}")
            except Exception as e: w.log(f"{label} next!{err(e)}")
        return None
    if k == "ascompasync":
        fs = items(w, env, s); left = s["count"]
        if left == 0: return None
        async for f in as_completed(fs, timeout=s["delay"]):
            w.log(f"{label} next {fs.index(f) if f in fs else -1} {state(f)}")
            left -= 1
            if left == 0: break
        return None
    if k == "timeout":
        scope = timeout_at(s["delay"]) if s["absolute"] else timeout(s["delay"])
        try:
            async with scope: return await block(w, Env(env.tag, env.groups, (*env.scopes, scope), env.own), s["block"])
        finally: w.log(f"{label} expired {fmt(scope.expired())} {current_task().cancelling()}")
    if k == "group":
        async with TaskGroup() as group:
            r = await block(w, Env(env.tag, (*env.groups, group), env.scopes, env.own), s["block"])
        if r is None: w.log(f"{label} left {current_task().cancelling()}")
        return r
    if k == "lockwith":
        async with w.locks[s["index"]]: return await block(w, env, s["block"])
    if k == "semwith":
        async with w.semaphores[s["index"]]: return await block(w, env, s["block"])
    if k == "condwith":
        async with w.conditions[s["index"]]: return await block(w, env, s["block"])
    if k == "barwith":
        async with w.barriers[s["index"]] as position:
            w.log(f"{label} position {position}")
            return await block(w, env, s["block"])
    return await operation(w, env, s)

async def main_of(w):
    # Nothing hangs for long: futures are resolved, then everybody is cancelled.
    me = current_task(); horizon = w.program["horizon"]
    w.loop.call_at(horizon - 5, lambda: [f.set_result("late") for f in w.futures if not f.done()])
    w.loop.call_at(horizon - 1, lambda: me.cancel("watchdog"))
    w.loop.call_at(horizon, lambda: me.cancel("watchdog2"))
    try:
        r = await block(w, Env("m"), w.program["main"])
        w.log("m end=" + fmt(None if r is None else r[0]))
    except BaseException as e:
        w.log("m end!" + err(e))
    for _ in range(3):
        try:
            await sleep(horizon / 2)
            for i, f in enumerate(w.slots):
                if not f.done(): w.log(f"cancel {i} {fmt(f.cancel('end'))}")
        except BaseException as e:
            w.log("drain!" + err(e))
    for i, f in enumerate(w.slots): w.log(f"slot {i} {state(f)}")
    for i, x in enumerate(w.locks):
        if x.locked(): w.log(f"held lock {i}")
    for i, x in enumerate(w.semaphores):
        if x.locked() != (w.program["objects"]["semaphores"][i][0] == 0): w.log(f"held semaphore {i} {fmt(x.locked())}")
    for i, x in enumerate(w.events):
        if x.is_set(): w.log(f"held event {i}")
    for i, x in enumerate(w.queues):
        if not x.empty(): w.log(f"held queue {i} {x.qsize()}")
    for i, x in enumerate(w.barriers):
        if x.n_waiting or x.broken: w.log(f"held barrier {i} {x.n_waiting} {fmt(x.broken)}")

def run_program(program, eager):
    def make(log, loop):
        async def main():
            await main_of(World(program, log, loop))
        return main()
    return trace_of(make, eager)

def run_programs(text, eager):
    """The traces of a list of programs, as JSON in and out."""
    return json.dumps([run_program(p, eager) for p in json.loads(text)])
