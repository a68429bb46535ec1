"""What programs that are printed as Python are written with: each statement notes what comes of it."""
import asyncio, re

def straight(log, loop):
    class step:
        """Notes what its block is done with, or the error that ends it, which goes on."""
        def __init__(self, label): self.label = label
        def __enter__(self): return self.done
        def done(self, value=None): log(f"{self.label}={fmt(value)}")
        def __exit__(self, kind, error, traceback):
            if error is None: return False
            log(f"{self.label}!{err(error)}")
            return self.ends(error)
        def ends(self, error): return False

    class safely(step):
        """An error other than a cancellation ends here."""
        def ends(self, error): return isinstance(error, Exception)

    class act(step):
        """Any error ends here."""
        def ends(self, error): return True

    def traced(body):
        """Notes the start and the end of a body."""
        async def run(me, groups=()):
            log(f"{me} start")
            try:
                value = await body(me, groups)
            except BaseException as e:
                log(f"{me} end!{err(e)}")
                raise
            log(f"{me} end={fmt(value)}")
            return value
        return run

    async def supervised(script, horizon, futures, slots, locks=(), semaphores=(), events=(), queues=(), barriers=()):
        """Nothing hangs for long: futures are resolved, then everybody is cancelled. What is left at last is noted."""
        me = asyncio.current_task()
        closed = [x.locked() for x in semaphores]
        loop.call_at(horizon - 5, lambda: [f.set_result("late") for f in futures if not f.done()])
        loop.call_at(horizon - 1, lambda: me.cancel("watchdog"))
        loop.call_at(horizon, lambda: me.cancel("watchdog2"))
        try:
            log(f"m end={fmt(await script('m', ()))}")
        except BaseException as e:
            log(f"m end!{err(e)}")
        for _ in range(3):
            try:
                await asyncio.sleep(horizon / 2)
                for i, f in enumerate(slots):
                    if not f.done(): log(f"cancel {i} {fmt(f.cancel('end'))}")
            except BaseException as e:
                log(f"drain!{err(e)}")
        for i, f in enumerate(slots): log(f"slot {i} {state(f)}")
        for i, x in enumerate(locks):
            if x.locked(): log(f"held lock {i}")
        for i, x in enumerate(semaphores):
            if x.locked() != closed[i]: log(f"held semaphore {i} {fmt(x.locked())}")
        for i, x in enumerate(events):
            if x.is_set(): log(f"held event {i}")
        for i, x in enumerate(queues):
            if not x.empty(): log(f"held queue {i} {x.qsize()}")
        for i, x in enumerate(barriers):
            if x.n_waiting or x.broken: log(f"held barrier {i} {x.n_waiting} {fmt(x.broken)}")

    return step, safely, act, traced, supervised

def state(future):
    if not future.done(): return "pending"
    if future.cancelled(): return "cancelled"
    e = future.exception()
    return "!" + err(e) if e is not None else "=" + fmt(future.result())

def if_task(future, what):
    """What a task says, which a mere future cannot."""
    return what(future) if isinstance(future, asyncio.Task) else "none"

def name_of(task): return re.sub(r"^Task-\d+$", "unnamed", task.get_name())

def outward(enclosing, steps):
    """What encloses the statement, counted outward."""
    if not enclosing: raise Boom("not inside")
    return enclosing[-1 - steps % len(enclosing)]

def describe(scope): return f"{'never' if scope.when() is None else fmt(scope.when())} {fmt(scope.expired())}"
