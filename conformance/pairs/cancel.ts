import type { Pair } from "../pair.ts";

export const cancelling: readonly Pair[] = [
  {
    name: "cancel before start",
    python: `
async def w():
    log("never")
async def main():
    t = create_task(w())
    log(f"cancel {fmt(t.cancel('m'))} {t.cancelling()}")
    await a("t", t)
    log(f"{fmt(t.cancelled())} {fmt(t.cancel())}")
`,
    script: `
function* w() { log("never"); }
function* main() {
  const t = createTask(@w());
  log("cancel " + fmt(t.cancel("m")) + " " + t.cancelling());
  yield* a("t", () => t);
  log(fmt(t.cancelled()) + " " + fmt(t.cancel()));
}`,
  },
  {
    name: "cancel waiting, twice, messages",
    python: `
async def w():
    try:
        await sleep(10)
    except CancelledError as e:
        log("w " + err(e) + str(current_task().cancelling()))
        try:
            await sleep(3)
        except CancelledError as e2:
            log("w2 " + err(e2))
        raise
async def main():
    t = create_task(w())
    await sleep(1)
    t.cancel("one"); t.cancel("two")
    await sleep(0); await sleep(0)
    log("c " + str(t.cancelling()))
    t.cancel("three"); 
    await a("t", t)
    await a("t again", t)
`,
    script: `
function* w() {
  try { yield* sleep(10); }
  catch (e) {
    log("w " + err(e) + currentTask().cancelling());
    try { yield* sleep(3); } catch (e2) { log("w2 " + err(e2)); }
    throw e;
  }
}
function* main() {
  const t = createTask(@w());
  yield* sleep(1);
  t.cancel("one"); t.cancel("two");
  yield* sleep(0); yield* sleep(0);
  log("c " + t.cancelling());
  t.cancel("three");
  yield* a("t", () => t);
  yield* a("t again", () => t);
}`,
  },
  {
    name: "self cancel then return",
    python: `
async def w():
    current_task().cancel("self")
    return 5
async def main():
    t = create_task(w())
    await a("t", t)
    await a("t", t)
    log(fmt(t.cancelled()))
`,
    script: `
function* w() { currentTask().cancel("self"); return 5; }
function* main() {
  const t = createTask(@w());
  yield* a("t", () => t);
  yield* a("t", () => t);
  log(fmt(t.cancelled()));
}`,
  },
  {
    name: "self cancel, uncancel, return",
    python: `
async def w():
    current_task().cancel("self")
    log(str(current_task().uncancel()))
    log(str(current_task().uncancel()))
    await sleep(0)
    return 5
async def main():
    t = create_task(w())
    await a("t", t)
`,
    script: `
function* w() { currentTask().cancel("self"); log(String(currentTask().uncancel())); log(String(currentTask().uncancel())); yield* sleep(0); return 5; }
function* main() {
  const t = createTask(@w());
  yield* a("t", () => t);
}`,
  },
  {
    name: "self cancel then sleep(0), done future, pending future, sleep(d)",
    python: `
async def w(kind):
    f = loop.create_future()
    current_task().cancel(kind)
    if kind == "zero": await sleep(0)
    elif kind == "done":
        f.set_result(1); log(fmt(await f)); log("past done"); await sleep(0); log("never")
    elif kind == "future": await f
    elif kind == "sleep": await sleep(5)
    elif kind == "raise": raise Boom("b")
async def main():
    for kind in ["zero", "done", "future", "sleep", "raise"]:
        t = create_task(w(kind))
        await a(kind, t)
        log(fmt(t.cancelled()))
`,
    script: `
function* w(kind) {
  const f = loop.createFuture();
  currentTask().cancel(kind);
  if (kind === "zero") yield* sleep(0);
  else if (kind === "done") { f.setResult(1); log(fmt(yield* f)); log("past done"); yield* sleep(0); log("never"); }
  else if (kind === "future") yield* f;
  else if (kind === "sleep") yield* sleep(5);
  else if (kind === "raise") throw new Boom("b");
}
function* main() {
  for (const kind of ["zero", "done", "future", "sleep", "raise"]) {
    const t = createTask(@w(kind));
    yield* a(kind, () => t);
    log(fmt(t.cancelled()));
  }
}`,
  },
  {
    name: "cancel after future resolved, before wakeup: value lost",
    python: `
async def w(f):
    try:
        log(fmt(await f))
    except CancelledError as e:
        log("lost " + err(e)); raise
async def main():
    f = loop.create_future()
    t = create_task(w(f)); await sleep(0)
    f.set_result(3); t.cancel("late")
    await a("t", t)
    g = loop.create_future()
    t = create_task(w(g)); await sleep(0)
    g.set_exception(Boom("x")); t.cancel("late2")
    await a("t", t)
    h = loop.create_future()
    t = create_task(w(h)); await sleep(0)
    h.cancel("hm"); t.cancel("late3")
    await a("t", t)
`,
    script: `
function* w(f) { try { log(fmt(yield* f)); } catch (e) { log("lost " + err(e)); throw e; } }
function* main() {
  const f = loop.createFuture();
  let t = createTask(@w(f)); yield* sleep(0);
  f.setResult(3); t.cancel("late");
  yield* a("t", () => t);
  const g = loop.createFuture();
  t = createTask(@w(g)); yield* sleep(0);
  g.setException(new Boom("x")); t.cancel("late2");
  yield* a("t", () => t);
  const h = loop.createFuture();
  t = createTask(@w(h)); yield* sleep(0);
  h.cancel("hm"); t.cancel("late3");
  yield* a("t", () => t);
}`,
  },
  {
    name: "chain of tasks, cancel outermost",
    python: `
async def inner():
    try: await sleep(10)
    finally: log("inner out")
async def mid(t):
    try: await t
    finally: log("mid out")
async def main():
    i = create_task(inner()); m = create_task(mid(i)); o = create_task(mid(m))
    await sleep(1)
    o.cancel("deep")
    await a("o", o)
    log(f"{i.cancelling()} {m.cancelling()} {o.cancelling()}")
`,
    script: `
function* inner() { try { yield* sleep(10); } finally { log("inner out"); } }
function* mid(t) { try { yield* t; } finally { log("mid out"); } }
function* main() {
  const i = createTask(@inner()), m = createTask(@mid(i)), o = createTask(@mid(m));
  yield* sleep(1);
  o.cancel("deep");
  yield* a("o", () => o);
  log(i.cancelling() + " " + m.cancelling() + " " + o.cancelling());
}`,
  },
  {
    name: "inner swallows, outer never sees",
    python: `
async def inner():
    try: await sleep(10)
    except CancelledError: log("swallowed")
    return "v"
async def outer(t):
    r = await t
    log("outer " + r + str(current_task().cancelling()))
    return r
async def main():
    i = create_task(inner()); o = create_task(outer(i))
    await sleep(1); o.cancel()
    await a("o", o)
`,
    script: `
function* inner() { try { yield* sleep(10); } catch { log("swallowed"); } return "v"; }
function* outer(t) { const r = yield* t; log("outer " + r + currentTask().cancelling()); return r; }
function* main() {
  const i = createTask(@inner()), o = createTask(@outer(i));
  yield* sleep(1); o.cancel();
  yield* a("o", () => o);
}`,
  },
  {
    name: "spontaneous CancelledError with message",
    python: `
async def w():
    await sleep(0)
    raise CancelledError("mine")
async def main():
    t = create_task(w())
    await a("t", t); await a("t", t)
    log(fmt(t.cancelled()) + str(t.cancelling()))
`,
    script: `
function* w() { yield* sleep(0); throw new CancelledError("mine"); }
function* main() {
  const t = createTask(@w());
  yield* a("t", () => t); yield* a("t", () => t);
  log(fmt(t.cancelled()) + t.cancelling());
}`,
  },
  {
    name: "finally with awaits, second cancel inside",
    python: `
async def w():
    try:
        await sleep(10)
    finally:
        log("f1")
        try:
            await sleep(5); log("cleaned")
        except CancelledError as e:
            log("again " + err(e))
        await sleep(1)
        log("f2")
async def main():
    t = create_task(w()); await sleep(1)
    t.cancel("a"); await sleep(2); t.cancel("b")
    await a("t", t)
`,
    script: `
function* w() {
  try { yield* sleep(10); }
  finally {
    log("f1");
    try { yield* sleep(5); log("cleaned"); } catch (e) { log("again " + err(e)); }
    yield* sleep(1);
    log("f2");
  }
}
function* main() {
  const t = createTask(@w()); yield* sleep(1);
  t.cancel("a"); yield* sleep(2); t.cancel("b");
  yield* a("t", () => t);
}`,
  },
  {
    name: "cancel while sleep is due in the same turn",
    python: `
async def w(n):
    try: await sleep(5); log(n + " done")
    except CancelledError as e: log(n + " " + err(e)); raise
async def main():
    t1 = create_task(w("t1"))
    loop.call_at(5, lambda: (log("cb"), t1.cancel("at5"), t2.cancel("b")))
    t2 = create_task(w("t2"))
    await a("t1", t1); await a("t2", t2)
`,
    script: `
function* w(n) { try { yield* sleep(5); log(n + " done"); } catch (e) { log(n + " " + err(e)); throw e; } }
function* main() {
  const t1 = createTask(@w("t1"));
  loop.callAt(5, () => { log("cb"); t1.cancel("at5"); t2.cancel("b"); });
  const t2 = createTask(@w("t2"));
  yield* a("t1", () => t1); yield* a("t2", () => t2);
}`,
  },
  {
    name: "cancel ready task (sleep(0) pending)",
    python: `
async def w():
    try: await sleep(0)
    except CancelledError as e: log("z " + err(e))
    await sleep(0); log("on")
    return 1
async def main():
    t = create_task(w())
    loop.call_soon(lambda: t.cancel("x"))
    await a("t", t)
`,
    script: `
function* w() { try { yield* sleep(0); } catch (e) { log("z " + err(e)); } yield* sleep(0); log("on"); return 1; }
function* main() {
  const t = createTask(@w());
  loop.callSoon(() => t.cancel("x"));
  yield* a("t", () => t);
}`,
  },
  {
    name: "await task cancelled elsewhere: awaiter gets CE but is not cancelled",
    python: `
async def w(): await sleep(10)
async def awaiter(t):
    try: await t
    except CancelledError as e: log("aw " + err(e) + str(current_task().cancelling()))
    await sleep(1); return "ok"
async def main():
    t = create_task(w()); x = create_task(awaiter(t)); y = create_task(awaiter(t)); await sleep(0); await sleep(0)
    t.cancel("m")
    await a("x", x); await a("y", y)
`,
    script: `
function* w() { yield* sleep(10); }
function* awaiter(t) {
  try { yield* t; } catch (e) { log("aw " + err(e) + currentTask().cancelling()); }
  yield* sleep(1); return "ok";
}
function* main() {
  const t = createTask(@w()), x = createTask(@awaiter(t)), y = createTask(@awaiter(t)); yield* sleep(0); yield* sleep(0);
  t.cancel("m");
  yield* a("x", () => x); yield* a("y", () => y);
}`,
  },
  {
    name: "main cancels itself",
    python: `
async def main():
    current_task().cancel("bye")
    await sleep(1)
`,
    script: `
function* main() { currentTask().cancel("bye"); yield* sleep(1); }`,
  },
  {
    name: "await itself",
    python: `
async def w(): 
    try: await current_task()
    except RuntimeError as e: log(err(e))
    await sleep(0); return 1
async def main(): await a("t", create_task(w()))
`,
    script: `
function* w() { try { yield* currentTask(); } catch (e) { log(err(e)); } yield* sleep(0); return 1; }
function* main() { const t = createTask(@w()); yield* a("t", () => t); }`,
    without: ["async"],
  },
  {
    name: "uncancel and cancelling with TaskGroup error after swallowed cancel",
    python: `
async def bad(): 
    await sleep(1); raise Boom("b")
async def w():
    try: await sleep(10)
    except CancelledError: pass
    try:
        async with TaskGroup() as g: g.create_task(bad())
    except BaseException as e: log(err(e) + str(current_task().cancelling()))
    try: await sleep(0); log("no CE")
    except CancelledError as e: log("CE2 " + err(e) + str(current_task().cancelling()))
    return 1
async def main():
    t = create_task(w()); await sleep(1); t.cancel("q"); await a("t", t)
`,
    script: `
function* bad() { yield* sleep(1); throw new Boom("b"); }
function* w() {
  try { yield* sleep(10); } catch {}
  try { yield* taskGroup(function* (g) { g.createTask(@bad()); }); } catch (e) { log(err(e) + currentTask().cancelling()); }
  try { yield* sleep(0); log("no CE"); } catch (e) { log("CE2 " + err(e) + currentTask().cancelling()); }
  return 1;
}
function* main() { const t = createTask(@w()); yield* sleep(1); t.cancel("q"); yield* a("t", () => t); }`,
  },
];
