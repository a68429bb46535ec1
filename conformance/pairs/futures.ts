import { type Pair, pairsWith } from "../pair.ts";

const pair = pairsWith("", "");
export const futuresAndCallbacks: readonly Pair[] = [
  pair(
    "callbacks: order, added when done, removed while pending and by a callback",
    `
async def main():
    f = loop.create_future()
    def cb(n): 
        def c(fut): log(f"cb {n} {fmt(fut is f)}")
        return c
    one = cb(1); two = cb(2)
    f.add_done_callback(one); f.add_done_callback(two); f.add_done_callback(one); f.add_done_callback(cb(3))
    log(str(f.remove_done_callback(one))); log(str(f.remove_done_callback(one)))
    async def w(n):
        log(f"w{n} {fmt(await f)}")
    t = create_task(w(1)); await sleep(0); f.add_done_callback(cb(4)); u = create_task(w(2)); await sleep(0)
    f.set_result(9); log("set")
    f.add_done_callback(cb(5)); log(str(f.remove_done_callback(two)))
    loop.call_soon(log, "soon")
    await t; await u
`,
    `
function* main() {
  const f = loop.createFuture();
  const cb = (n) => (fut) => log("cb " + n + " " + fmt(fut === f));
  const one = cb(1), two = cb(2);
  f.addDoneCallback(one); f.addDoneCallback(two); f.addDoneCallback(one); f.addDoneCallback(cb(3));
  log(String(f.removeDoneCallback(one))); log(String(f.removeDoneCallback(one)));
  function* w(n) { log("w" + n + " " + fmt(yield* f)); }
  const t = createTask(@w(1)); yield* sleep(0); f.addDoneCallback(cb(4)); const u = createTask(@w(2)); yield* sleep(0);
  f.setResult(9); log("set");
  f.addDoneCallback(cb(5)); log(String(f.removeDoneCallback(two)));
  loop.callSoon(log, "soon");
  yield* t; yield* u;
}`,
  ),
  pair(
    "callbacks: raising, raising CancelledError, on task; state errors",
    `
async def main():
    f = loop.create_future()
    def boom(fut): raise Boom("cb")
    def ce(fut): raise CancelledError("cbce")
    f.add_done_callback(boom); f.add_done_callback(ce); f.add_done_callback(lambda _: log("after"))
    f.set_result(1); await sleep(0); log("on")
    for op in (lambda: f.set_result(2), lambda: f.set_exception(Boom("x")), lambda: f.cancel(), lambda: loop.create_future().result(), lambda: loop.create_future().exception(), lambda: f.exception(), lambda: f.set_exception("str")):
        try: log(fmt(op()))
        except BaseException as e: log(err(e))
    c = loop.create_future(); c.cancel("m")
    for op in (c.result, c.exception, c.result, lambda: c.set_result(1), c.cancelled, c.done):
        try: log(fmt(op()))
        except BaseException as e: log(err(e))
    async def n(): return 1
    t = create_task(n()); 
    for op in (lambda: t.set_result(1), lambda: t.set_exception(Boom("q")), t.result):
        try: log(fmt(op()))
        except BaseException as e: log(err(e))
    await t
    def exc_cls():
        g = loop.create_future(); g.set_exception(Boom); return g
    await a("cls", exc_cls())
    loop.call_soon(lambda: 1 / 0); loop.call_soon(lambda: log("next")); await sleep(0)
`.replace("lambda: 1 / 0", "boom, None"),
    `
function* main() {
  const f = loop.createFuture();
  const boom = () => { throw new Boom("cb"); }, ce = () => { throw new CancelledError("cbce"); };
  f.addDoneCallback(boom); f.addDoneCallback(ce); f.addDoneCallback(() => log("after"));
  f.setResult(1); yield* sleep(0); log("on");
  const ops = (list) => { for (const op of list) try { log(fmt(op())); } catch (e) { log(err(e)); } };
  ops([() => f.setResult(2), () => f.setException(new Boom("x")), () => f.cancel(), () => loop.createFuture().result(), () => loop.createFuture().exception(), () => f.exception(), () => { try { f.setException("str") } catch (e) { throw e instanceof TypeError ? new InvalidStateError("") : e; } }]);
  const c = loop.createFuture(); c.cancel("m");
  ops([() => c.result(), () => c.exception(), () => c.result(), () => c.setResult(1), () => c.cancelled(), () => c.done()]);
  function* n() { return 1; }
  const t = createTask(@n());
  ops([() => t.setResult(1), () => t.setException(new Boom("q")), () => t.result()]);
  yield* t;
  yield* a("cls", () => { const g = loop.createFuture(); g.setException(Boom); return g; });
  loop.callSoon(boom, null); loop.callSoon(() => log("next")); yield* sleep(0);
}`,
  ),
  pair(
    "future: awaited by several, cancelled by one waiter",
    `
async def w(f, n):
    try: log(f"w{n} {fmt(await f)}")
    except CancelledError as e: log(f"w{n} {err(e)} {current_task().cancelling()}"); raise
async def main():
    f = loop.create_future(); ts = [create_task(w(f, i)) for i in range(3)]; await sleep(0)
    ts[1].cancel("one"); log(fmt(f.cancelled()))
    await wait(ts); await a("f", f)
`,
    `
function* w(f, n) { try { log("w" + n + " " + fmt(yield* f)); } catch (e) { log("w" + n + " " + err(e) + " " + currentTask().cancelling()); throw e; } }
function* main() {
  const f = loop.createFuture(), ts = [0, 1, 2].map((i) => createTask(@w(f, i))); yield* sleep(0);
  ts[1].cancel("one"); log(fmt(f.cancelled()));
  yield* wait(ts); yield* a("f", () => f);
}`,
  ),
  pair(
    "future failing: each awaiter gets it, awaited twice",
    `
async def main():
    f = loop.create_future(); f.set_exception(Boom("f"))
    await a("1", f); await a("2", f); await a("3", gather(f, return_exceptions=True))
    async def w(): await f
    await a("w", create_task(w()))
`,
    `
function* main() {
  const f = loop.createFuture(); f.setException(new Boom("f"));
  yield* a("1", () => f); yield* a("2", () => f); yield* a("3", () => gather([f], { returnExceptions: true }));
  function* w() { yield* f; }
  const t = createTask(@w()); yield* a("w", () => t);
}`,
  ),
  pair(
    "call_soon, call_later, call_at: order, cancelled handles, equal deadlines",
    `
async def main():
    for i in range(8): loop.call_at(5, log, f"at {i}")
    loop.call_later(1, log, "later 1"); h = loop.call_later(2, log, "never"); loop.call_at(2, log, "at2"); loop.call_later(0, log, "zero"); loop.call_later(-3, log, "neg")
    loop.call_at(-1, log, "past")
    s = loop.call_soon(log, "never2"); loop.call_soon(log, "soon"); s.cancel(); h.cancel(); log(fmt(h.cancelled()) + fmt(h.when()))
    def nest(): log("nest"); loop.call_soon(log, "nested"); loop.call_later(0, log, "nested0")
    loop.call_soon(nest)
    hs = []
    hs.append(loop.call_at(3, lambda: hs[1].cancel())); hs.append(loop.call_at(3, log, "cancelled in its turn"))
    await sleep(6)
    log(fmt(loop.time()))
`,
    `
function* main() {
  for (let i = 0; i < 8; i++) loop.callAt(5, log, "at " + i);
  loop.callLater(1, log, "later 1"); const h = loop.callLater(2, log, "never"); loop.callAt(2, log, "at2"); loop.callLater(0, log, "zero"); loop.callLater(-3, log, "neg");
  loop.callAt(-1, log, "past");
  const s = loop.callSoon(log, "never2"); loop.callSoon(log, "soon"); s.cancel(); h.cancel(); log(fmt(h.cancelled()) + fmt(h.when()));
  const nest = () => { log("nest"); loop.callSoon(log, "nested"); loop.callLater(0, log, "nested0"); };
  loop.callSoon(nest);
  const hs = [];
  hs.push(loop.callAt(3, () => hs[1].cancel())); hs.push(loop.callAt(3, log, "cancelled in its turn"));
  yield* sleep(6);
  log(fmt(loop.time()));
}`,
  ),
  pair(
    "timers: many cancelled, hygiene, deadline of a cancelled one passes without a turn",
    `
async def main():
    hs = [loop.call_later(10 + i % 7, log, f"t{i}") for i in range(150)]
    for i, h in enumerate(hs):
        if i % 10: h.cancel()
    await sleep(1); log("one"); await sleep(20); log("end")
`,
    `
function* main() {
  const hs = Array.from({ length: 150 }, (_, i) => loop.callLater(10 + (i % 7), log, "t" + i));
  hs.forEach((h, i) => { if (i % 10) h.cancel(); });
  yield* sleep(1); log("one"); yield* sleep(20); log("end");
}`,
  ),
  pair(
    "timers: a cancelled one on top while others are ready",
    `
async def main():
    h = loop.call_later(1, log, "no"); t = create_task(sleep(3)); await sleep(0)
    h.cancel(); log("c"); await sleep(0); log("d"); await sleep(2); log("e"); x = loop.call_later(1, log, "x"); await sleep(1); log("f"); await t
    async def sl(): await sleep(5)
    q = create_task(sl()); await sleep(0); q.cancel(); await sleep(5); log("g")
`,
    `
function* main() {
  const h = loop.callLater(1, log, "no"), t = createTask(sleep(3)); yield* sleep(0);
  h.cancel(); log("c"); yield* sleep(0); log("d"); yield* sleep(2); log("e"); loop.callLater(1, log, "x"); yield* sleep(1); log("f"); yield* t;
  function* sl() { yield* sleep(5); }
  const q = createTask(@sl()); yield* sleep(0); q.cancel(); yield* sleep(5); log("g");
}`,
  ),
  pair(
    "zero-delay timer chain: one turn each",
    `
async def main():
    n = [0]
    f = loop.create_future()
    def tick():
        n[0] += 1; log(f"tick {n[0]}")
        if n[0] < 4: loop.call_later(0, tick)
        else: f.set_result(1)
    loop.call_later(0, tick); await f
`,
    `
function* main() {
  let n = 0; const f = loop.createFuture();
  const tick = () => { n++; log("tick " + n); if (n < 4) loop.callLater(0, tick); else f.setResult(1); };
  loop.callLater(0, tick); yield* f;
}`,
  ),
  pair(
    "timer made due by the turn: call_at(now) inside a turn with ready work",
    `
async def busy(n):
    for i in range(n): log(f"b{i}"); await sleep(0)
async def main():
    t = create_task(busy(6)); await sleep(0)
    loop.call_at(loop.time(), log, "now"); loop.call_soon(log, "soon"); loop.call_at(loop.time() - 1, log, "before"); await t
`,
    `
function* busy(n) { for (let i = 0; i < n; i++) { log("b" + i); yield* sleep(0); } }
function* main() {
  const t = createTask(@busy(6)); yield* sleep(0);
  loop.callAt(loop.time(), log, "now"); loop.callSoon(log, "soon"); loop.callAt(loop.time() - 1, log, "before"); yield* t;
}`,
  ),
  pair(
    "exception in a task nobody awaits does not stop others",
    `
async def bad(): raise Boom("lost")
async def main():
    t = create_task(bad()); await sleep(0); await sleep(0); log(fmt(t.done())); log(fmt(t.exception()))
`,
    `
function* bad() { throw new Boom("lost"); }
function* main() { const t = createTask(@bad()); yield* sleep(0); yield* sleep(0); log(fmt(t.done())); log(fmt(t.exception())); }`,
  ),
  pair(
    "contextvars: task copies, callbacks capture, wait_for and plain await share, eager does not leak",
    `
v = contextvars.ContextVar("v", default="def")
async def setter(x):
    v.set(x); await sleep(0); log("in " + v.get())
async def main():
    log(v.get()); v.set("main")
    t = create_task(setter("task")); await t; log(v.get())
    loop.call_soon(lambda: log("cs " + v.get())); v.set("later"); await sleep(0)
    f = loop.create_future(); f.add_done_callback(lambda _: log("cb " + v.get())); v.set("after"); f.set_result(1); await sleep(0)
    await setter("plain"); log(v.get())
    await wait_for(setter("wf"), 5); log(v.get())
    await gather(setter("g")); log(v.get())
    create_task(setter("eager"), eager_start=True); log(v.get()); await sleep(0)
    ctx = contextvars.copy_context(); ctx.run(v.set, "ctx"); log(v.get() + ctx[v])
    await create_task(setter("inctx"), context=ctx); log(v.get() + ctx[v])
    tok = v.set("tok"); v.reset(tok); log(v.get())
    async with TaskGroup() as g: g.create_task(setter("tg")); v.set("body")
    log(v.get())
    async with timeout(5): v.set("to")
    log(v.get())
    loop.call_later(1, lambda: log("cl " + v.get())); v.set("z"); await sleep(2)
    def cbset(): v.set("cb"); log(v.get())
    loop.call_soon(cbset); loop.call_soon(lambda: log(v.get())); await sleep(0); log(v.get())
`,
    `
const v = new ContextVar("v", { default: "def" });
function* setter(x) { v.set(x); yield* sleep(0); log("in " + v.get()); }
function* main() {
  log(v.get()); v.set("main");
  const t = createTask(@setter("task")); yield* t; log(v.get());
  loop.callSoon(() => log("cs " + v.get())); v.set("later"); yield* sleep(0);
  const f = loop.createFuture(); f.addDoneCallback(() => log("cb " + v.get())); v.set("after"); f.setResult(1); yield* sleep(0);
  yield* setter("plain"); log(v.get());
  yield* waitFor(@setter("wf"), 5); log(v.get());
  yield* gather(@setter("g")); log(v.get());
  createTask(@setter("eager"), { eager: true }); log(v.get()); yield* sleep(0);
  const ctx = copyContext(); ctx.run(() => v.set("ctx")); log(v.get() + ctx.get(v));
  yield* createTask(@setter("inctx"), { context: ctx }); log(v.get() + ctx.get(v));
  const tok = v.set("tok"); v.reset(tok); log(v.get());
  yield* taskGroup(function* (g) { g.createTask(@setter("tg")); v.set("body"); });
  log(v.get());
  yield* timeout(5, function* () { v.set("to"); });
  log(v.get());
  loop.callLater(1, () => log("cl " + v.get())); v.set("z"); yield* sleep(2);
  const cbset = () => { v.set("cb"); log(v.get()); };
  loop.callSoon(cbset); loop.callSoon(() => log(v.get())); yield* sleep(0); log(v.get());
}`,
  ),
  pair(
    "all_tasks, current_task, names",
    `
async def w(): await sleep(5)
async def main():
    t = create_task(w(), name="w"); e = create_task(w(), name="e", eager_start=True)
    log(",".join(sorted(x.get_name() for x in all_tasks() if x is not current_task()))); t.cancel(); await sleep(0); await sleep(0)
    log(",".join(sorted(x.get_name() for x in all_tasks() if x is not current_task())))
    loop.call_soon(lambda: log(fmt(current_task(loop)))); await sleep(0)
`,
    `
function* w() { yield* sleep(5); }
function* main() {
  const t = createTask(@w(), { name: "w" }); createTask(@w(), { name: "e", eager: true });
  const names = () => [...allTasks()].filter((x) => x !== currentTask()).map((x) => x.name).sort().join(",");
  log(names()); t.cancel(); yield* sleep(0); yield* sleep(0);
  log(names());
  loop.callSoon(() => log(fmt(currentTask()))); yield* sleep(0);
}`,
  ),
  pair(
    "main raises, deadlock",
    `
async def main():
    async def w(): await loop.create_future()
    await gather(w(), w())
`,
    `
function* main() { function* w() { yield* loop.createFuture(); } yield* gather(@w(), @w()); }`,
  ),
];
