import { type Pair, pairsWith } from "../pair.ts";

const PYTHON = `
def spawn(*coros): return [create_task(c) for c in coros]
async def turns(n):
    for _ in range(n): await sleep(0)
`;
const SCRIPT = `
const spawn = (...jobs) => jobs.map((j) => createTask(j));
function* turns(n) { for (let i = 0; i < n; i++) yield* sleep(0); }
`;
const pair = pairsWith(PYTHON, SCRIPT);
export const primitives: readonly Pair[] = [
  pair(
    "Lock: order, locked() between, no barging, release errors",
    `
async def w(l, n, d=1):
    try:
        async with l: log(f"in {n}"); await sleep(d)
        log(f"out {n} {fmt(l.locked())}")
    except CancelledError as e: log(f"{n} {err(e)}"); raise
async def main():
    l = Lock(); ts = spawn(w(l, 1), w(l, 2), w(l, 3)); await sleep(0); log(fmt(l.locked()))
    await sleep(1); ts += spawn(w(l, 4)); await wait(ts)
    try: l.release()
    except RuntimeError as e: log(err(e))
    await l.acquire(); u = create_task(w(l, 5)); await sleep(0); l.release(); log(fmt(l.locked())); u2 = create_task(l.acquire()); await u; await a("u2", u2); l.release()
`,
    `
function* w(l, n, d = 1) {
  try { yield* l.with(function* () { log("in " + n); yield* sleep(d); }); log("out " + n + " " + fmt(l.locked())); }
  catch (e) { log(n + " " + err(e)); throw e; }
}
function* main() {
  const l = new Lock(), ts = spawn(@w(l, 1), @w(l, 2), @w(l, 3)); yield* sleep(0); log(fmt(l.locked()));
  yield* sleep(1); ts.push(...spawn(@w(l, 4))); yield* wait(ts);
  try { l.release(); } catch (e) { log(err(e)); }
  yield* l.acquire(); const u = createTask(@w(l, 5)); yield* sleep(0); l.release(); log(fmt(l.locked())); const u2 = createTask(l.acquire()); yield* u; yield* a("u2", () => u2); l.release();
}`,
  ),
  pair(
    "Lock: winner cancelled after release, waiter cancelled before release, all cancelled",
    `
async def w(l, n):
    try:
        async with l: log(f"in {n}")
    except CancelledError as e: log(f"{n} {err(e)}"); raise
async def main():
    l = Lock(); await l.acquire()
    ts = spawn(w(l, 1), w(l, 2), w(l, 3)); await sleep(0)
    l.release(); ts[0].cancel("c1"); await turns(4)
    await l.acquire(); ts = spawn(w(l, 1), w(l, 2), w(l, 3)); await sleep(0)
    ts[0].cancel("d1"); l.release(); await turns(4)
    await l.acquire(); ts = spawn(w(l, 1), w(l, 2)); await sleep(0)
    l.release(); ts[1].cancel("e2"); ts[0].cancel("e1"); await turns(4); log(fmt(l.locked()))
    await l.acquire(); ts = spawn(w(l, 1), w(l, 2)); await sleep(0)
    ts[0].cancel("f1"); ts[1].cancel("f2"); l.release(); await l.acquire(); log("barge ok"); await turns(3); l.release()
`,
    `
function* w(l, n) { try { yield* l.with(function* () { log("in " + n); }); } catch (e) { log(n + " " + err(e)); throw e; } }
function* main() {
  const l = new Lock(); yield* l.acquire();
  let ts = spawn(@w(l, 1), @w(l, 2), @w(l, 3)); yield* sleep(0);
  l.release(); ts[0].cancel("c1"); yield* turns(4);
  yield* l.acquire(); ts = spawn(@w(l, 1), @w(l, 2), @w(l, 3)); yield* sleep(0);
  ts[0].cancel("d1"); l.release(); yield* turns(4);
  yield* l.acquire(); ts = spawn(@w(l, 1), @w(l, 2)); yield* sleep(0);
  l.release(); ts[1].cancel("e2"); ts[0].cancel("e1"); yield* turns(4); log(fmt(l.locked()));
  yield* l.acquire(); ts = spawn(@w(l, 1), @w(l, 2)); yield* sleep(0);
  ts[0].cancel("f1"); ts[1].cancel("f2"); l.release(); yield* l.acquire(); log("barge ok"); yield* turns(3); l.release();
}`,
  ),
  pair(
    "Semaphore: order, locked(), cancel after grant, several releases, bounded",
    `
async def w(s, n):
    try: await s.acquire(); log(f"got {n}")
    except CancelledError as e: log(f"{n} {err(e)}"); raise
async def main():
    s = Semaphore(2); ts = spawn(*[w(s, i) for i in range(5)]); await sleep(0); log(fmt(s.locked()))
    s.release(); s.release(); ts[2].cancel("c2"); await turns(3); log(fmt(s.locked()))
    s.release(); await turns(3); log(fmt(s.locked()))
    ts = spawn(w(s, 7), w(s, 8)); await sleep(0); ts[0].cancel(); s.release(); ts[1].cancel("late"); await turns(3); log(fmt(s.locked()))
    b = BoundedSemaphore(1); await b.acquire(); b.release()
    try: b.release()
    except ValueError as e: log(err(e))
    try: Semaphore(-1)
    except ValueError as e: log(err(e))
    z = Semaphore(0); t = create_task(w(z, 9)); await sleep(0); z.release(); log(fmt(z.locked())); u = create_task(w(z, 10)); await turns(2); z.release(); await u
`,
    `
function* w(s, n) { try { yield* s.acquire(); log("got " + n); } catch (e) { log(n + " " + err(e)); throw e; } }
function* main() {
  const s = new Semaphore(2); let ts = spawn(...[0, 1, 2, 3, 4].map((i) => @w(s, i))); yield* sleep(0); log(fmt(s.locked()));
  s.release(); s.release(); ts[2].cancel("c2"); yield* turns(3); log(fmt(s.locked()));
  s.release(); yield* turns(3); log(fmt(s.locked()));
  ts = spawn(@w(s, 7), @w(s, 8)); yield* sleep(0); ts[0].cancel(); s.release(); ts[1].cancel("late"); yield* turns(3); log(fmt(s.locked()));
  const b = new BoundedSemaphore(1); yield* b.acquire(); b.release();
  try { b.release(); } catch (e) { log(err(e)); }
  try { new Semaphore(-1); } catch (e) { log(err(e)); }
  const z = new Semaphore(0); createTask(@w(z, 9)); yield* sleep(0); z.release(); log(fmt(z.locked())); const u = createTask(@w(z, 10)); yield* turns(2); z.release(); yield* u;
}`,
  ),
  pair(
    "Event: set/clear, order, cancel after set",
    `
async def w(e, n):
    try: log(f"{n} {fmt(await e.wait())} {fmt(e.is_set())}")
    except CancelledError as x: log(f"{n} {err(x)}"); raise
async def main():
    e = Event(); ts = spawn(w(e, 1), w(e, 2), w(e, 3)); await sleep(0)
    e.set(); e.clear(); ts[1].cancel("c"); spawn(w(e, 4)); await turns(2); e.set(); e.set(); await turns(2); await e.wait(); log("free")
`,
    `
function* w(e, n) { try { log(n + " " + fmt(yield* e.wait()) + " " + fmt(e.isSet())); } catch (x) { log(n + " " + err(x)); throw x; } }
function* main() {
  const e = new Event(), ts = spawn(@w(e, 1), @w(e, 2), @w(e, 3)); yield* sleep(0);
  e.set(); e.clear(); ts[1].cancel("c"); spawn(@w(e, 4)); yield* turns(2); e.set(); e.set(); yield* turns(2); yield* e.wait(); log("free");
}`,
  ),
  pair(
    "Condition: notify n, notify_all, cancel waiting / notified / re-acquiring, wait_for",
    `
async def w(c, n):
    try:
        async with c:
            log(f"{n} {fmt(await c.wait())}")
    except CancelledError as x: log(f"{n} {err(x)}"); raise
async def main():
    c = Condition(); ts = spawn(*[w(c, i) for i in range(5)]); await turns(2)
    async with c: c.notify(2)
    await turns(4)
    async with c: c.notify(); ts[2].cancel("n2"); await turns(2)
    await turns(4)
    ts[4].cancel("w4"); await turns(4)
    ts = spawn(w(c, 10), w(c, 11)); await turns(2)
    async with c:
        c.notify_all(); await sleep(0); ts[0].cancel("re"); await sleep(0); ts[0].cancel("re2"); await sleep(1)
    await turns(5)
    for op in (c.notify, c.notify_all):
        try: op()
        except RuntimeError as x: log(err(x))
    await a("nl", c.wait())
    box = [0]
    async def p():
        async with c: log(fmt(await c.wait_for(lambda: box[0] > 1 and box[0])))
    t = create_task(p()); await sleep(0)
    for i in range(3):
        box[0] = i
        async with c: c.notify()
        await turns(2)
    await t
    await c.acquire(); log(fmt(c.locked())); c.release()
`,
    `
function* w(c, n) { try { yield* c.with(function* () { log(n + " " + fmt(yield* c.wait())); }); } catch (x) { log(n + " " + err(x)); throw x; } }
function* main() {
  const c = new Condition(); let ts = spawn(...[0, 1, 2, 3, 4].map((i) => @w(c, i))); yield* turns(2);
  yield* c.with(function* () { c.notify(2); });
  yield* turns(4);
  yield* c.with(function* () { c.notify(); ts[2].cancel("n2"); yield* turns(2); });
  yield* turns(4);
  ts[4].cancel("w4"); yield* turns(4);
  ts = spawn(@w(c, 10), @w(c, 11)); yield* turns(2);
  yield* c.with(function* () { c.notifyAll(); yield* sleep(0); ts[0].cancel("re"); yield* sleep(0); ts[0].cancel("re2"); yield* sleep(1); });
  yield* turns(5);
  for (const op of [() => c.notify(), () => c.notifyAll()]) try { op(); } catch (x) { log(err(x)); }
  yield* a("nl", () => c.wait());
  let box = 0;
  function* p() { yield* c.with(function* () { log(fmt(yield* c.waitFor(() => box > 1 && box))); }); }
  const t = createTask(@p()); yield* sleep(0);
  for (let i = 0; i < 3; i++) { box = i; yield* c.with(function* () { c.notify(); }); yield* turns(2); }
  yield* t;
  yield* c.acquire(); log(fmt(c.locked())); c.release();
}`,
  ),
  pair(
    "Barrier: rounds, index, cancel, reset, abort, broken",
    `
async def w(b, n):
    try: log(f"{n} {fmt(await b.wait())}")
    except BaseException as x: log(f"{n} {err(x)}")
async def main():
    b = Barrier(3); spawn(w(b, 1), w(b, 2)); await turns(3); log(str(b.n_waiting)); await w(b, 3); await turns(5)
    ts = spawn(*[w(b, i) for i in range(4)]); await turns(8); log(str(b.n_waiting)); ts[3].cancel("c"); await turns(4); log(str(b.n_waiting))
    ts = spawn(w(b, 5), w(b, 6)); await turns(4); await b.reset(); log("reset"); await turns(5); log(f"{b.n_waiting} {fmt(b.broken)}")
    ts = spawn(w(b, 7)); await turns(4); await b.abort(); await turns(4); log(fmt(b.broken)); await w(b, 8); await b.reset(); log(fmt(b.broken))
    ts = spawn(w(b, 9), w(b, 10), w(b, 11), w(b, 12), w(b, 13), w(b, 14)); await turns(20); log(str(b.n_waiting))
`,
    `
function* w(b, n) { try { log(n + " " + fmt(yield* b.wait())); } catch (x) { log(n + " " + err(x)); } }
function* main() {
  const b = new Barrier(3); spawn(@w(b, 1), @w(b, 2)); yield* turns(3); log(String(b.nWaiting)); yield* w(b, 3); yield* turns(5);
  let ts = spawn(...[0, 1, 2, 3].map((i) => @w(b, i))); yield* turns(8); log(String(b.nWaiting)); ts[3].cancel("c"); yield* turns(4); log(String(b.nWaiting));
  ts = spawn(@w(b, 5), @w(b, 6)); yield* turns(4); yield* b.reset(); log("reset"); yield* turns(5); log(b.nWaiting + " " + fmt(b.broken));
  ts = spawn(@w(b, 7)); yield* turns(4); yield* b.abort(); yield* turns(4); log(fmt(b.broken)); yield* w(b, 8); yield* b.reset(); log(fmt(b.broken));
  ts = spawn(@w(b, 9), @w(b, 10), @w(b, 11), @w(b, 12), @w(b, 13), @w(b, 14)); yield* turns(20); log(String(b.nWaiting));
}`,
  ),
  pair(
    "Queue: hand-over, full, nowait steals, cancel of woken, order",
    `
async def g(q, n):
    try: log(f"g{n} {fmt(await q.get())}")
    except BaseException as x: log(f"g{n} {err(x)}")
async def p(q, v):
    try: await q.put(v); log(f"p{v}")
    except BaseException as x: log(f"p{v} {err(x)}")
async def main():
    q = Queue(2); ts = spawn(g(q, 1), g(q, 2), g(q, 3)); await sleep(0)
    q.put_nowait("a"); ts[0].cancel("c"); await turns(3)
    q.put_nowait("b"); log(fmt(q.get_nowait())); await turns(3)
    spawn(*[p(q, i) for i in range(6)]); await turns(3); log(f"{q.qsize()} {fmt(q.full())}")
    ts = spawn(g(q, 4)); await turns(3)
    ts = spawn(p(q, 10), p(q, 11)); await sleep(0); q.get_nowait(); ts[0].cancel("pc"); await turns(3)
    for op in (lambda: q.put_nowait(1), lambda: [q.get_nowait() for _ in range(9)]):
        try: log(fmt(op()))
        except BaseException as x: log(err(x))
    await turns(5); log(str(q.qsize()))
`,
    `
function* g(q, n) { try { log("g" + n + " " + fmt(yield* q.get())); } catch (x) { log("g" + n + " " + err(x)); } }
function* p(q, v) { try { yield* q.put(v); log("p" + v); } catch (x) { log("p" + v + " " + err(x)); } }
function* main() {
  const q = new Queue(2); let ts = spawn(@g(q, 1), @g(q, 2), @g(q, 3)); yield* sleep(0);
  q.putNowait("a"); ts[0].cancel("c"); yield* turns(3);
  q.putNowait("b"); log(fmt(q.getNowait())); yield* turns(3);
  spawn(...[0, 1, 2, 3, 4, 5].map((i) => @p(q, i))); yield* turns(3); log(q.qsize() + " " + fmt(q.full()));
  ts = spawn(@g(q, 4)); yield* turns(3);
  ts = spawn(@p(q, 10), @p(q, 11)); yield* sleep(0); q.getNowait(); ts[0].cancel("pc"); yield* turns(3);
  for (const op of [() => q.putNowait(1), () => { for (let i = 0; i < 9; i++) q.getNowait(); }]) try { log(fmt(op())); } catch (x) { log(err(x)); }
  yield* turns(5); log(String(q.qsize()));
}`,
  ),
  pair(
    "Queue: join, task_done, shutdown, immediate, lifo, priority",
    `
async def g(q, n):
    try: log(f"g{n} {fmt(await q.get())}")
    except BaseException as x: log(f"g{n} {err(x)}")
async def p(q, v):
    try: await q.put(v); log(f"p{v}")
    except BaseException as x: log(f"p{v} {err(x)}")
async def j(q, n):
    try: await q.join(); log(f"j{n}")
    except BaseException as x: log(f"j{n} {err(x)}")
async def main():
    q = Queue(1); await j(q, 0); spawn(p(q, 1), p(q, 2), p(q, 3), j(q, 1)); await turns(2); q.get_nowait(); q.task_done(); await turns(2)
    q.shutdown(); await turns(2); await g(q, 1); await g(q, 2); await p(q, 9); q.task_done(); await turns(2)
    try: q.task_done()
    except ValueError as x: log(err(x))
    for op in (q.get_nowait, lambda: q.put_nowait(1)):
        try: op()
        except BaseException as x: log(err(x))
    q = Queue(); ts = spawn(g(q, 3), g(q, 4), j(q, 2)); await sleep(0); q.shutdown(); await turns(2)
    q = Queue(); [q.put_nowait(i) for i in range(3)]; q.get_nowait(); ts = spawn(j(q, 3)); await sleep(0); q.shutdown(immediate=True); await turns(2); q.task_done(); await turns(2); await g(q, 5)
    q = Queue(); [q.put_nowait(i) for i in range(3)]; ts = spawn(j(q, 4), j(q, 5)); await sleep(0); ts[0].cancel("jc"); q.shutdown(immediate=True); q.shutdown(); await turns(2)
    q = LifoQueue(); [q.put_nowait(i) for i in range(3)]; log(fmt([q.get_nowait() for _ in range(3)]))
    q = PriorityQueue(); [q.put_nowait(i) for i in (3, 1, 2)]; log(fmt([q.get_nowait() for _ in range(3)]))
`,
    `
function* g(q, n) { try { log("g" + n + " " + fmt(yield* q.get())); } catch (x) { log("g" + n + " " + err(x)); } }
function* p(q, v) { try { yield* q.put(v); log("p" + v); } catch (x) { log("p" + v + " " + err(x)); } }
function* j(q, n) { try { yield* q.join(); log("j" + n); } catch (x) { log("j" + n + " " + err(x)); } }
function* main() {
  let q = new Queue(1); yield* j(q, 0); spawn(@p(q, 1), @p(q, 2), @p(q, 3), @j(q, 1)); yield* turns(2); q.getNowait(); q.taskDone(); yield* turns(2);
  q.shutdown(); yield* turns(2); yield* g(q, 1); yield* g(q, 2); yield* p(q, 9); q.taskDone(); yield* turns(2);
  try { q.taskDone(); } catch (x) { log(err(x)); }
  for (const op of [() => q.getNowait(), () => q.putNowait(1)]) try { op(); } catch (x) { log(err(x)); }
  q = new Queue(); let ts = spawn(@g(q, 3), @g(q, 4), @j(q, 2)); yield* sleep(0); q.shutdown(); yield* turns(2);
  q = new Queue(); for (const i of [0, 1, 2]) q.putNowait(i); q.getNowait(); ts = spawn(@j(q, 3)); yield* sleep(0); q.shutdown({ immediate: true }); yield* turns(2); q.taskDone(); yield* turns(2); yield* g(q, 5);
  q = new Queue(); for (const i of [0, 1, 2]) q.putNowait(i); ts = spawn(@j(q, 4), @j(q, 5)); yield* sleep(0); ts[0].cancel("jc"); q.shutdown({ immediate: true }); q.shutdown(); yield* turns(2);
  q = new LifoQueue(); for (const i of [0, 1, 2]) q.putNowait(i); log(fmt([q.getNowait(), q.getNowait(), q.getNowait()]));
  q = new PriorityQueue(); for (const i of [3, 1, 2]) q.putNowait(i); log(fmt([q.getNowait(), q.getNowait(), q.getNowait()]));
}`,
  ),
  pair(
    "wait_for over queue.get, lock.acquire, event.wait at the deadline",
    `
async def main():
    q = Queue(); loop.call_later(2, lambda: q.put_nowait("x")); await a("q", wait_for(q.get(), 2)); log(str(q.qsize()))
    q = Queue(); t = create_task(wait_for(q.get(), 2)); loop.call_later(2, lambda: q.put_nowait("x")); await a("q2", t); log(str(q.qsize()))
    l = Lock(); await l.acquire(); t = create_task(wait_for(l.acquire(), 2)); loop.call_later(2, l.release); await a("l", t); log(fmt(l.locked()))
    s = Semaphore(0); t = create_task(wait_for(s.acquire(), 2)); await sleep(0); loop.call_later(2, s.release); await a("s", t); log(fmt(s.locked()))
    e = Event(); await a("e", wait_for(e.wait(), 1))
`,
    `
function* main() {
  let q = new Queue(); loop.callLater(2, () => q.putNowait("x")); yield* a("q", () => waitFor(q.get(), 2)); log(String(q.qsize()));
  q = new Queue(); let t = createTask(waitFor(q.get(), 2)); loop.callLater(2, () => q.putNowait("x")); yield* a("q2", () => t); log(String(q.qsize()));
  const l = new Lock(); yield* l.acquire(); t = createTask(waitFor(l.acquire(), 2)); loop.callLater(2, () => l.release()); yield* a("l", () => t); log(fmt(l.locked()));
  const s = new Semaphore(0); t = createTask(waitFor(s.acquire(), 2)); yield* sleep(0); loop.callLater(2, () => s.release()); yield* a("s", () => t); log(fmt(s.locked()));
  const e = new Event(); yield* a("e", () => waitFor(e.wait(), 1));
}`,
  ),
];
