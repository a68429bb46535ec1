"""Runs a program that is given as data. Twin of interpreter.ts: what one does, the other does, statement by statement."""
import contextvars, json
from asyncio import (create_task, sleep, current_task, CancelledError, gather, wait, wait_for, as_completed, shield, timeout,
    timeout_at, TaskGroup, Lock, Semaphore, BoundedSemaphore, Event, Condition, Barrier, Queue, LifoQueue, PriorityQueue)

class World:
    """What the statements of a program share. `slots` keeps tasks and futures, `links` who waits for whom, by node."""
    def __init__(w, program, log, loop):
        o = program["objects"]
        w.program = program; w.log = log; w.loop = loop; w.slots = {}; w.nodes = {}; w.links = [set()]; w.handles = {}; w.callbacks = {}; w.counter = 0
        w.locks = [Lock() for _ in range(o["locks"])]
        w.semaphores = [(BoundedSemaphore if b else Semaphore)(v) for v, b in o["semaphores"]]
        w.events = [Event() for _ in range(o["events"])]
        w.conditions = [Condition(w.locks[i]) if i < o["shared"] else Condition() for i in range(o["conditions"])]
        w.barriers = [Barrier(n) for n in o["barriers"]]
        w.queues = [{"f": Queue, "l": LifoQueue, "p": PriorityQueue}[k](n) for n, k in o["queues"]]
        w.futures = [loop.create_future() for _ in range(o["futures"])]
        w.variable = contextvars.ContextVar("v", default=0)

def node(w):
    w.links.append(set())
    return len(w.links) - 1

def link(w, a, b):
    """Notes that a waits for b; False if b already waits for a, as a cancellation would run in circles."""
    seen = set(); todo = [b]
    while todo:
        x = todo.pop()
        if x == a: return False
        if x not in seen:
            seen.add(x); todo.extend(w.links[x])
    w.links[a].add(b)
    return True

def state(f):
    if f is None: return "empty"
    if not f.done(): return "pending"
    if f.cancelled(): return "cancelled"
    e = f.exception()
    return "!" + err(e) if e is not None else "=" + fmt(f.result())

def act(w, tag, s, env=None):
    """A statement that does not wait; gives its result."""
    k = s["kind"]
    if k == "log": return w.loop.time()
    if k == "cancel":
        t = w.slots.get(s["slot"])
        return "empty" if t is None else t.cancel(*([s["message"]] if s["message"] else []))
    if k == "cancelling":
        t = w.slots.get(s["slot"])
        return t.cancelling() if hasattr(t, "cancelling") else "none"
    if k == "uncancelother":
        t = w.slots.get(s["slot"])
        return t.uncancel() if hasattr(t, "uncancel") else "none"
    if k == "state": return state(w.slots.get(s["slot"]))
    if k == "setf": return w.futures[s["index"]].set_result(s["id"])
    if k == "setfe": return w.futures[s["index"]].set_exception(Boom(f"f{s['id']}"))
    if k == "cancelf": return w.futures[s["index"]].cancel(*([s["message"]] if s["message"] else []))
    if k == "newf":
        w.futures[s["index"]] = w.loop.create_future(); return None
    if k == "addcb":
        f = w.futures[s["target"][1]] if s["target"][0] == "f" else w.slots.get(s["target"][1])
        if f is None: return "empty"
        cb = callback(w, tag, s); w.callbacks[s["id"]] = (f, cb); return f.add_done_callback(cb)
    if k == "rmcb":
        c = w.callbacks.get(s["added"])
        return "none" if c is None else c[0].remove_done_callback(c[1])
    if k == "soon": w.handles[s["handle"]] = w.loop.call_soon(callback(w, tag, s)); return None
    if k == "later": w.handles[s["handle"]] = w.loop.call_later(s["delay"], callback(w, tag, s)); return None
    if k == "at": w.handles[s["handle"]] = w.loop.call_at(s["delay"], callback(w, tag, s)); return None
    if k == "unhandle":
        h = w.handles.get(s["handle"])
        return "none" if h is None else h.cancel()
    if k == "boom": raise Boom(f"a{s['id']}")
    if k == "lockrel": return w.locks[s["index"]].release()
    if k == "locked": return w.locks[s["index"]].locked()
    if k == "semrel": return w.semaphores[s["index"]].release()
    if k == "semlocked": return w.semaphores[s["index"]].locked()
    if k == "eset": return w.events[s["index"]].set()
    if k == "eclear": return w.events[s["index"]].clear()
    if k == "cnotify": return w.conditions[s["index"]].notify(s["count"])
    if k == "cnotifyall": return w.conditions[s["index"]].notify_all()
    if k == "inc": w.counter += 1; return w.counter
    if k == "bstate": return f"{w.barriers[s['index']].n_waiting}{fmt(w.barriers[s['index']].broken)}"
    if k == "qputn": return w.queues[s["index"]].put_nowait(s["id"])
    if k == "qgetn": return w.queues[s["index"]].get_nowait()
    if k == "qdone": return w.queues[s["index"]].task_done()
    if k == "qshut": return w.queues[s["index"]].shutdown(immediate=s["immediate"])
    if k == "qstate": return f"{w.queues[s['index']].qsize()}{fmt(w.queues[s['index']].full())}"
    if k == "setvar": w.variable.set(s["id"]); return None
    if k == "getvar": return w.variable.get()
    if k == "shieldstore":
        me = node(w)
        f = item(w, tag, s, s["target"], 0, me)
        if f is None: return "empty"
        w.slots[s["slot"]] = shield(f); w.nodes[s["slot"]] = me; return None
    if k == "gatherstore":
        me = node(w)
        w.slots[s["slot"]] = gather(*items(w, tag, s, me), return_exceptions=s["returnExceptions"]); w.nodes[s["slot"]] = me; return None
    return NOT_SYNC

NOT_SYNC = object()

def callback(w, tag, s):
    """What a callback of statement s does."""
    def cb(*_):
        for x in s["actions"]:
            try: r = act(w, f"{tag}.cb{s['id']}", x)
            except Exception as e:
                w.log(f"{tag}.cb{s['id']}.{x['id']} {x['kind']}!{err(e)}")
                if x["kind"] == "boom": raise
            else: w.log(f"{tag}.cb{s['id']}.{x['id']} {x['kind']}={fmt(r)}")
    return cb

def item(w, tag, s, x, i, me):
    """Something to wait for: a task's slot, a future, or a fresh coroutine; None if the slot is empty or waits for us."""
    if x[0] == "t": return w.slots[x[1]] if x[1] in w.slots and link(w, me, w.nodes[x[1]]) else None
    if x[0] == "f": return w.futures[x[1]]
    it = node(w); link(w, me, it)
    return run_body(w, f"{tag}/{s['id']}{'abcdef'[i]}", x[1], [], it)

def items(w, tag, s, me):
    found = [item(w, tag, s, x, i, me) for i, x in enumerate(s["targets"])]
    return [f for f in found if f is not None]

class Env:
    """Where a body is in its blocks."""
    def __init__(e, groups, node): e.groups = groups; e.node = node; e.scopes = []

async def run_body(w, tag, b, groups, it):
    w.log(tag + " start")
    try:
        r = await block(w, tag, Env(groups, it), w.program["bodies"][b])
    except BaseException as e:
        w.log(f"{tag} end!{err(e)}"); raise
    v = None if r is None else r[0]
    w.log(f"{tag} end={fmt(v)}")
    return v

async def block(w, tag, env, statements):
    """Runs statements; a tuple of one value if a return statement ended them, None otherwise."""
    for s in statements:
        k = s["kind"]; me = f"{tag}.{s['id']} {k}"
        try: r = act(w, tag, s, env)
        except Exception as e:
            w.log(f"{me}!{err(e)}")
            if k == "boom": raise
            continue
        if r is not NOT_SYNC:
            w.log(f"{me}={fmt(r)}"); continue
        if k == "return": return (s["value"],)
        if k == "raise":
            if s["error"] == "boom": raise Boom(f"r{s['id']}")
            raise CancelledError(f"r{s['id']}")
        if k == "try":
            r = await attempt(w, tag, env, s)
            if r is not None: return r
            continue
        try:
            r = await step(w, tag, env, s)
        except BaseException as e:
            w.log(f"{me}!{err(e)}")
            if s.get("safe") and isinstance(e, Exception): continue
            raise
        if isinstance(r, tuple):
            return r
        w.log(f"{me}={fmt(r)}")
    return None

async def attempt(w, tag, env, s):
    try:
        return await block(w, tag, env, s["block"])
    except CancelledError as e:
        w.log(f"{tag}.{s['id']} except {err(e)} {current_task().cancelling()}")
        if s["cancelled"] is None: raise
        r = await block(w, tag, env, s["cancelled"])
        if r is not None: return r
        if s["afterwards"] == "raise": raise
        if s["afterwards"] == "boom": raise Boom(f"x{s['id']}")
        if s["afterwards"] == "uncancel": w.log(f"{tag}.{s['id']} uncancel {current_task().uncancel()}")
        return None
    except BaseException as e:
        w.log(f"{tag}.{s['id']} except {err(e)} {current_task().cancelling()}")
        if s["reraise"]: raise
        return None
    finally:
        if s["finally"] is not None: await block(w, tag, env, s["finally"])

async def step(w, tag, env, s):
    """A statement that may wait."""
    k = s["kind"]
    if k == "sleep": return await sleep(s["delay"], s["id"])
    if k == "turns":
        for _ in range(s["count"]): await sleep(0)
        return None
    if k == "spawn":
        it = node(w)
        w.slots[s["slot"]] = create_task(run_body(w, f"{tag}>{s['id']}", s["body"], env.groups, it), eager_start=s["eager"]); w.nodes[s["slot"]] = it; return None
    if k == "cancelself": return current_task().cancel(*([s["message"]] if s["message"] else []))
    if k == "uncancel": return current_task().uncancel()
    if k == "selfcount": return current_task().cancelling()
    if k == "await":
        f = item(w, tag, s, s["target"], 0, env.node)
        if f is None: return "empty"
        return await f
    if k == "gather":
        return await gather(*items(w, tag, s, env.node), return_exceptions=s["returnExceptions"])
    if k == "wait":
        fs = items(w, tag, s, env.node)
        if not fs: return "skip"
        d, p = await wait(fs, timeout=s["delay"], return_when=s["returnWhen"])
        return "".join("d" if f in d else "p" if f in p else "?" for f in fs)
    if k == "ascomp":
        fs = items(w, tag, s, env.node)
        left = s["count"]
        for x in as_completed(fs, timeout=s["delay"]):
            if left == 0:
                x.close(); break
            left -= 1
            try: w.log(f"{tag}.{s['id']} next={fmt(await x)}")
            except Exception as e: w.log(f"{tag}.{s['id']} next!{err(e)}")
        return None
    if k == "waitfor":
        f = item(w, tag, s, s["target"], 0, env.node)
        if f is None: return "empty"
        return await wait_for(f, s["delay"])
    if k == "shield":
        f = item(w, tag, s, s["target"], 0, env.node)
        if f is None: return "empty"
        return await shield(f)
    if k == "timeout":
        scope = timeout(s["delay"]) if s["delay"] is None or not s["absolute"] else timeout_at(s["delay"])
        env.scopes.append(scope)
        try:
            async with scope:
                r = await block(w, tag, env, s["block"])
        finally:
            env.scopes.pop()
            w.log(f"{tag}.{s['id']} expired {fmt(scope.expired())} {current_task().cancelling()}")
        return r
    if k == "resched":
        if not env.scopes: return "none"
        scope = env.scopes[-1 - s["outward"] % len(env.scopes)]
        try: scope.reschedule(None if s["delay"] is None else w.loop.time() + s["delay"])
        except RuntimeError as e: return err(e)
        return None
    if k == "group":
        async with TaskGroup() as g:
            env.groups = env.groups + [(g, env.node)]
            try: r = await block(w, tag, env, s["block"])
            finally: env.groups = env.groups[:-1]
        w.log(f"{tag}.{s['id']} left {current_task().cancelling()}")
        return r
    if k == "gspawn":
        if not env.groups: return "none"
        g, owner = env.groups[-1 - s["outward"] % len(env.groups)]
        it = node(w); link(w, owner, it)
        try: w.slots[s["slot"]] = g.create_task(run_body(w, f"{tag}>{s['id']}", s["body"], env.groups, it), eager_start=s["eager"]); w.nodes[s["slot"]] = it
        except RuntimeError as e: return err(e)
        return None
    if k == "lockwith":
        async with w.locks[s["index"]]: return await block(w, tag, env, s["block"])
    if k == "lockacq": return await w.locks[s["index"]].acquire()
    if k == "semwith":
        async with w.semaphores[s["index"]]: return await block(w, tag, env, s["block"])
    if k == "semacq": return await w.semaphores[s["index"]].acquire()
    if k == "ewait": return await w.events[s["index"]].wait()
    if k == "condwith":
        async with w.conditions[s["index"]]: return await block(w, tag, env, s["block"])
    if k == "cwait": return await w.conditions[s["index"]].wait()
    if k == "cwaitfor": return await w.conditions[s["index"]].wait_for(lambda: w.counter >= s["count"])
    if k == "bwait": return await w.barriers[s["index"]].wait()
    if k == "breset": return await w.barriers[s["index"]].reset()
    if k == "babort": return await w.barriers[s["index"]].abort()
    if k == "qput": return await w.queues[s["index"]].put(s["id"])
    if k == "qget": return await w.queues[s["index"]].get()
    if k == "qjoin": return await w.queues[s["index"]].join()
    raise TypeError("no such statement: " + k)

async def main_of(w):
    # Nothing hangs for long: futures are resolved, then everybody is cancelled.
    me = current_task()
    w.loop.call_at(9, lambda: [f.set_result("late") for f in w.futures if not f.done()])
    w.loop.call_at(13, lambda: me.cancel("watchdog"))
    w.loop.call_at(14, lambda: me.cancel("watchdog2"))
    try:
        r = await block(w, "m", Env([], 0), w.program["main"])
        w.log("m end=" + fmt(None if r is None else r[0]))
    except BaseException as e:
        w.log("m end!" + err(e))
    for _ in range(3):
        try:
            await sleep(7)
            for k in sorted(w.slots):
                if not w.slots[k].done(): w.log(f"cancel {k} {fmt(w.slots[k].cancel('end'))}")
        except BaseException as e:
            w.log("drain!" + err(e))
    for k in sorted(w.slots): w.log(f"slot {k} {state(w.slots[k])}")

def run_program(text):
    program = json.loads(text)
    def make(log, loop):
        async def main():
            await main_of(World(program, log, loop))
        return main()
    return trace_of(make)

def run_programs(text):
    """The traces of a list of programs, as JSON in and out."""
    return json.dumps([run_program(json.dumps(p)) for p in json.loads(text)])
