"""CPython's asyncio under a virtual clock, with a trace of (turn, time, label). Runs inside pyodide."""
import asyncio, sys, gc, itertools, inspect, contextvars, warnings
from asyncio import base_events, events, tasks, taskgroups, queues, locks, staggered

# Timers with equal deadlines: first come, first served, as in tsyncio.
_sequence = itertools.count()

class SequencedTimerHandle(events.TimerHandle):
    __slots__ = ("seq",)
    def __init__(self, *args):
        super().__init__(*args)
        self.seq = next(_sequence)
    def __lt__(self, other):
        return (self._when, self.seq) < (other._when, other.seq)

events.TimerHandle = SequencedTimerHandle

class OrderedSet(dict):
    """A set that remembers the order of insertion, as JavaScript's."""
    def __init__(self, items=()):
        super().__init__((i, None) for i in items)
    def add(self, i): self[i] = None
    def discard(self, i): self.pop(i, None)
    def remove(self, i): del self[i]

# Sets whose order asyncio leaves to the addresses of tasks.
taskgroups.set = OrderedSet
staggered.set = OrderedSet
tasks.set = OrderedSet
_source = inspect.getsource(tasks._AsCompletedIterator)
_old = "{ensure_future(aw, loop=loop) for aw in set(aws)}"
assert _old in _source
exec(_source.replace(_old, "set([ensure_future(aw, loop=loop) for aw in set(aws)])"), tasks.__dict__)

class Deadlock(BaseException):
    """Everybody waits, and no timer is left."""

class Selector:
    """Waits for nothing: time jumps to the next deadline, and each call is a turn."""
    def __init__(self, loop): self.loop = loop
    def select(self, timeout):
        self.loop.turn += 1
        if timeout is None: raise Deadlock
        self.loop.now += max(timeout, 0)
        return []

class VirtualLoop(base_events.BaseEventLoop):
    def __init__(self):
        super().__init__()
        self.turn = 0
        self.now = 0.0
        self._selector = Selector(self)
        self._clock_resolution = 1e-9
    def time(self): return self.now
    def _process_events(self, events): pass
    def _write_to_self(self): pass

class Boom(Exception):
    """The programs' own error."""

# Classes that JavaScript has one name for.
_NAMES = {"LookupError": "ValueError", "KeyError": "ValueError"}

def err(e):
    """An error in words that both sides use. Messages of asyncio itself are no part of it."""
    if isinstance(e, asyncio.CancelledError):
        return "CE:" + str(e.args[0]) if e.args and e.args[0] else "CE"
    if isinstance(e, BaseExceptionGroup):
        return "EG[" + ",".join(map(err, e.exceptions)) + "]"
    if isinstance(e, Boom):
        return "Boom:" + str(e.args[0]) if e.args and e.args[0] != "" else "Boom"
    n = type(e).__name__
    return _NAMES.get(n, n)

def fmt(v):
    """A value in words that both sides use."""
    if v is None: return "none"
    if v is True: return "true"
    if v is False: return "false"
    if isinstance(v, BaseException): return err(v)
    if isinstance(v, (list, tuple)): return "[" + ",".join(map(fmt, v)) + "]"
    if isinstance(v, float) and v == int(v): return str(int(v))
    return str(v)

# What nobody looked at is reported when it is collected, at no certain time.
base_events.logger.disabled = True

# Coroutines that were never awaited, or die with their loop.
warnings.simplefilter("ignore")
sys.unraisablehook = lambda args: None

def number(x):
    return str(int(x)) if x == int(x) else str(x)

def trace_of(make, eager=False, max_turns=20000):
    """Runs the coroutine that make(log, loop) gives, and gives the trace; `eager` says whether tasks are by default."""
    saved = events._get_running_loop()
    events._set_running_loop(None)
    loop = VirtualLoop()
    if eager: loop.set_task_factory(asyncio.eager_task_factory)
    trace = []
    state = {"open": True}
    def log(label):
        if not state["open"]: return
        if loop.turn > max_turns: raise Deadlock("too many turns")
        trace.append(f"{loop.turn} {number(loop.now)} {label}")
    def handler(loop, context):
        message = context["message"]
        # Reports that come when garbage is collected, at no certain time.
        if "never retrieved" in message or "destroyed but" in message: return
        kind = "callback" if message.startswith("Exception in callback") else "shield" if "shielded" in message else message
        e = context.get("exception")
        log(f"HANDLER {kind} {'' if e is None else err(e)}")
    loop.set_exception_handler(handler)
    main = None
    # CPython holds tasks weakly: one that waits for a future nobody can reach any more may be collected, and its coroutine
    # closed, at any moment. tsyncio holds them (docs/decisions/0012), so nothing is collected while the program runs.
    gc.disable()
    try:
        try:
            main = loop.create_task(make(log, loop))
            result = loop.run_until_complete(main)
            log("END " + fmt(result))
        except Deadlock:
            trace.append("- - DEADLOCK")
        except BaseException as e:
            log("END!" + err(e))
        state["open"] = False
        # What a deadlock leaves behind may refuse to end.
        for _ in range(30):
            left = asyncio.all_tasks(loop)
            if not left: break
            for t in left: t.cancel()
            for _ in range(50):
                if not loop._ready and not loop._scheduled: break
                try:
                    loop.call_soon(loop.stop)
                    loop.run_forever()
                except BaseException: pass
    finally:
        gc.enable()
        try: loop.close()
        finally: events._set_running_loop(saved)
    return "\n".join(trace)
