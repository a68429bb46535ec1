import { type Pair, pairsWith } from "../pair.ts";

const PYTHON = `
async def ok(d, v):
    log(f"start {v}")
    try:
        await sleep(d)
    except CancelledError as e:
        log(f"{v} {err(e)}"); raise
    log(f"end {v}")
    return v
async def bad(d, m):
    try:
        await sleep(d)
    except CancelledError as e:
        log(f"bad {m} {err(e)}"); raise
    log(f"raise {m}")
    raise Boom(m)
async def stubborn(d, v):
    try: await sleep(d)
    except CancelledError as e: log(f"stub {v} {err(e)}")
    await sleep(2)
    log(f"stub end {v}")
    return v
`;
const SCRIPT = `
function* ok(d, v) {
  log("start " + v);
  try { yield* sleep(d); } catch (e) { log(v + " " + err(e)); throw e; }
  log("end " + v);
  return v;
}
function* bad(d, m) {
  try { yield* sleep(d); } catch (e) { log("bad " + m + " " + err(e)); throw e; }
  log("raise " + m);
  throw new Boom(m);
}
function* stubborn(d, v) {
  try { yield* sleep(d); } catch (e) { log("stub " + v + " " + err(e)); }
  yield* sleep(2);
  log("stub end " + v);
  return v;
}
`;
const pair = pairsWith(PYTHON, SCRIPT);
export const composing: readonly Pair[] = [
  pair(
    "gather: results in order",
    `
async def main():
    await a("g", gather(ok(3, 1), ok(1, 2), ok(0, 3)))
    await a("empty", gather())
`,
    `
function* main() {
  yield* a("g", () => gather(@ok(3, 1), @ok(1, 2), @ok(0, 3)));
  yield* a("empty", () => gather());
}`,
  ),
  pair(
    "gather: error, siblings go on, later error silent",
    `
async def main():
    await a("g", gather(ok(3, 1), bad(1, "x"), bad(2, "y")))
    await sleep(5)
`,
    `
function* main() {
  yield* a("g", () => gather(@ok(3, 1), @bad(1, "x"), @bad(2, "y")));
  yield* sleep(5);
}`,
  ),
  pair(
    "gather: return_exceptions with error and cancelled child",
    `
async def main():
    t = create_task(ok(5, 1)); u = create_task(bad(2, "u"))
    loop.call_later(1, lambda: t.cancel("tc"))
    await a("g", gather(t, u, ok(3, 3), return_exceptions=True))
`,
    `
function* main() {
  const t = createTask(@ok(5, 1)), u = createTask(@bad(2, "u"));
  loop.callLater(1, () => t.cancel("tc"));
  yield* a("g", () => gather([t, u, @ok(3, 3)], { returnExceptions: true }));
}`,
  ),
  pair(
    "gather: future cancelled with message, return_exceptions",
    `
async def main():
    f = loop.create_future(); loop.call_later(1, lambda: f.cancel("fm"))
    await a("g", gather(f, ok(2, 2), return_exceptions=True))
    f = loop.create_future(); loop.call_later(1, lambda: f.cancel("fm"))
    await a("h", gather(f, ok(2, 2)))
`,
    `
function* main() {
  let f = loop.createFuture(); loop.callLater(1, () => f.cancel("fm"));
  yield* a("g", () => gather([f, @ok(2, 2)], { returnExceptions: true }));
  f = loop.createFuture(); loop.callLater(1, () => f.cancel("fm"));
  yield* a("h", () => gather(f, @ok(2, 2)));
}`,
  ),
  pair(
    "gather: child cancelled propagates, not cancelled()",
    `
async def main():
    t = create_task(ok(5, 1)); g = gather(t, ok(2, 2))
    loop.call_later(1, lambda: t.cancel("tc"))
    await a("g", g)
    log(fmt(g.cancelled()) + fmt(g.done())); log(fmt(g.cancel()))
    await sleep(3)
`,
    `
function* main() {
  const t = createTask(@ok(5, 1)), g = gather(t, @ok(2, 2));
  loop.callLater(1, () => t.cancel("tc"));
  yield* a("g", () => g);
  log(fmt(g.cancelled()) + fmt(g.done())); log(fmt(g.cancel()));
  yield* sleep(3);
}`,
  ),
  pair(
    "gather: outer cancelled, one child stubborn",
    `
async def main():
    g = gather(ok(5, 1), stubborn(5, 2), ok(0, 3))
    loop.call_later(1, lambda: log(fmt(g.cancel("outer"))))
    await a("g", g); log(fmt(g.cancelled()))
    g = gather(ok(5, 1), stubborn(5, 2), return_exceptions=True)
    loop.call_later(1, lambda: log(fmt(g.cancel("outer"))))
    await a("g2", g); log(fmt(g.cancelled()))
`,
    `
function* main() {
  let g = gather(@ok(5, 1), @stubborn(5, 2), @ok(0, 3));
  loop.callLater(1, () => log(fmt(g.cancel("outer"))));
  yield* a("g", () => g); log(fmt(g.cancelled()));
  g = gather([@ok(5, 1), @stubborn(5, 2)], { returnExceptions: true });
  loop.callLater(1, () => log(fmt(g.cancel("outer"))));
  yield* a("g2", () => g); log(fmt(g.cancelled()));
}`,
  ),
  pair(
    "gather: awaiting task cancelled; all children stubborn; last not cancelled",
    `
async def w():
    return await gather(stubborn(5, 1), stubborn(6, 2))
async def w2():
    return await gather(ok(5, 1), stubborn(6, 2), return_exceptions=True)
async def main():
    for f in (w, w2):
        t = create_task(f()); await sleep(1); t.cancel("m"); await sleep(0); t.cancel("n")
        await a("t", t)
`,
    `
function* w() { return yield* gather(@stubborn(5, 1), @stubborn(6, 2)); }
function* w2() { return yield* gather([@ok(5, 1), @stubborn(6, 2)], { returnExceptions: true }); }
function* main() {
  for (const f of [w, w2]) {
    const t = createTask(@f()); yield* sleep(1); t.cancel("m"); yield* sleep(0); t.cancel("n");
    yield* a("t", () => t);
  }
}`,
  ),
  pair(
    "gather: duplicates and nested",
    `
async def main():
    t = create_task(ok(1, 7))
    await a("dup", gather(t, t, gather(t, ok(2, 8)), t))
    await a("nest", gather(gather(bad(1, "n"), ok(3, 1)), ok(2, 2)))
    await sleep(4)
`,
    `
function* main() {
  const t = createTask(@ok(1, 7));
  yield* a("dup", () => gather(t, t, gather(t, @ok(2, 8)), t));
  yield* a("nest", () => gather(gather(@bad(1, "n"), @ok(3, 1)), @ok(2, 2)));
  yield* sleep(4);
}`,
  ),
  pair(
    "gather: children done already",
    `
async def main():
    f = loop.create_future(); f.set_result(1); h = loop.create_future(); h.set_exception(Boom("d"))
    c = loop.create_future(); c.cancel("cc")
    await a("1", gather(f, f)); await a("2", gather(f, h)); await a("3", gather(c, h)); await a("4", gather(c, f, h, return_exceptions=True))
    await a("5", gather(f, ok(1, 2)))
`,
    `
function* main() {
  const f = loop.createFuture(); f.setResult(1); const h = loop.createFuture(); h.setException(new Boom("d"));
  const c = loop.createFuture(); c.cancel("cc");
  yield* a("1", () => gather(f, f)); yield* a("2", () => gather(f, h)); yield* a("3", () => gather(c, h));
  yield* a("4", () => gather([c, f, h], { returnExceptions: true }));
  yield* a("5", () => gather(f, @ok(1, 2)));
}`,
  ),
  pair(
    "wait: three modes and timeouts",
    `
def show(ts, r):
    d, p = r
    return "".join("d" if t in d else "p" if t in p else "?" for t in ts)
async def main():
    for mode in (FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED):
        for timeout in (None, 0, 2):
            ts = [create_task(ok(3, 1)), create_task(bad(2, "w")), create_task(ok(1, 3))]
            log(mode + " " + show(ts, await wait(ts, timeout=timeout, return_when=mode)))
            await sleep(5)
`,
    `
const show = (ts, r) => ts.map((t) => (r.done.has(t) ? "d" : r.pending.has(t) ? "p" : "?")).join("");
function* main() {
  for (const mode of [FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED])
    for (const timeout of [undefined, 0, 2]) {
      const ts = [createTask(@ok(3, 1)), createTask(@bad(2, "w")), createTask(@ok(1, 3))];
      log(mode + " " + show(ts, yield* wait(ts, { timeout, returnWhen: mode })));
      yield* sleep(5);
    }
}`,
  ),
  pair(
    "wait: futures done already",
    `
async def main():
    f = loop.create_future(); f.set_result(1); g = loop.create_future()
    e = loop.create_future(); e.set_exception(Boom("e"))
    log("s"); await wait([f]); log("all done")
    await wait([f, g], return_when=FIRST_COMPLETED); log("first")
    await wait([e, g], return_when=FIRST_EXCEPTION); log("exc")
    await wait([f, g], timeout=0); log("t0")
    current_task().cancel("c")
    try: await wait([f]); log("not")
    except CancelledError as x: log(err(x))
`,
    `
function* main() {
  const f = loop.createFuture(); f.setResult(1); const g = loop.createFuture();
  const e = loop.createFuture(); e.setException(new Boom("e"));
  log("s"); yield* wait([f]); log("all done");
  yield* wait([f, g], { returnWhen: FIRST_COMPLETED }); log("first");
  yield* wait([e, g], { returnWhen: FIRST_EXCEPTION }); log("exc");
  yield* wait([f, g], { timeout: 0 }); log("t0");
  currentTask().cancel("c");
  try { yield* wait([f]); log("not"); } catch (x) { log(err(x)); }
}`,
  ),
  pair(
    "wait: cancelled from outside leaves the futures",
    `
async def w(ts):
    try: await wait(ts, timeout=5)
    except CancelledError as e: log("w " + err(e)); raise
async def main():
    ts = [create_task(ok(3, 1))]
    t = create_task(w(ts)); await sleep(1); t.cancel("wm"); await a("t", t); await a("c", ts[0])
`,
    `
function* w(ts) { try { yield* wait(ts, { timeout: 5 }); } catch (e) { log("w " + err(e)); throw e; } }
function* main() {
  const ts = [createTask(@ok(3, 1))];
  const t = createTask(@w(ts)); yield* sleep(1); t.cancel("wm"); yield* a("t", () => t); yield* a("c", () => ts[0]);
}`,
  ),
  pair(
    "as_completed: sync iteration, errors, timeout",
    `
async def main():
    for x in as_completed([ok(3, 1), bad(2, "b"), ok(1, 3)]): await a("n", x)
    for x in as_completed([create_task(ok(3, 1)), create_task(ok(1, 3))], timeout=2): await a("t", x)
    for x in as_completed([create_task(ok(5, 1)), create_task(ok(1, 3)), create_task(ok(6, 2))], timeout=0): await a("t0", x)
    await sleep(7)
`,
    `
function* main() {
  for (const x of asCompleted([@ok(3, 1), @bad(2, "b"), @ok(1, 3)])) yield* a("n", () => x);
  for (const x of asCompleted([createTask(@ok(3, 1)), createTask(@ok(1, 3))], { timeout: 2 })) yield* a("t", () => x);
  for (const x of asCompleted([createTask(@ok(5, 1)), createTask(@ok(1, 3)), createTask(@ok(6, 2))], { timeout: 0 })) yield* a("t0", () => x);
  yield* sleep(7);
}`,
  ),
  pair(
    "as_completed: done already, mixed with pending",
    `
async def main():
    f = loop.create_future(); f.set_result(1); t = create_task(ok(1, 2)); g = loop.create_future(); g.set_result(3)
    for x in as_completed([f, t, g]): await a("n", x)
    it = as_completed([f, g], timeout=0)
    log("made")
    for x in it: await a("m", x)
`,
    `
function* main() {
  const f = loop.createFuture(); f.setResult(1); const t = createTask(@ok(1, 2)), g = loop.createFuture(); g.setResult(3);
  for (const x of asCompleted([f, t, g])) yield* a("n", () => x);
  const it = asCompleted([f, g], { timeout: 0 });
  log("made");
  for (const x of it) yield* a("m", () => x);
}`,
  ),
  pair(
    "as_completed: several consumers, one cancelled",
    `
async def take(n, x):
    try: log(f"{n} {fmt(await x)}")
    except BaseException as e: log(f"{n} {err(e)}"); raise
async def main():
    fs = [loop.create_future() for _ in range(4)]
    ts = [create_task(take(i, x)) for i, x in enumerate(as_completed(fs))]
    await sleep(0)
    fs[2].set_result("r2"); await sleep(0); ts[0].cancel("c0")
    await sleep(0); await sleep(0); await sleep(0)
    ts[2].cancel("c2"); fs[0].set_result("r0")
    await sleep(0); await sleep(0); await sleep(0)
    fs[1].set_result("r1"); fs[3].set_result("r3")
    await wait(ts)
`,
    `
function* take(n, x) { try { log(n + " " + fmt(yield* x)); } catch (e) { log(n + " " + err(e)); throw e; } }
function* main() {
  const fs = [0, 1, 2, 3].map(() => loop.createFuture());
  const ts = [...asCompleted(fs)].map((x, i) => createTask(@take(i, x)));
  yield* sleep(0);
  fs[2].setResult("r2"); yield* sleep(0); ts[0].cancel("c0");
  yield* sleep(0); yield* sleep(0); yield* sleep(0);
  ts[2].cancel("c2"); fs[0].setResult("r0");
  yield* sleep(0); yield* sleep(0); yield* sleep(0);
  fs[1].setResult("r1"); fs[3].setResult("r3");
  yield* wait(ts);
}`,
  ),
  pair(
    "as_completed: an un-woken consumer is cancelled while another's item is due",
    `
async def take(n, x):
    try: log(f"{n} {fmt(await x)}")
    except BaseException as e: log(f"{n} {err(e)}"); raise
async def main():
    fs = [loop.create_future() for _ in range(5)]
    ts = [create_task(take(i, x)) for i, x in enumerate(as_completed(fs))]
    await sleep(0)
    fs[0].set_result("r0")
    ts[1].cancel("c1")
    await sleep(0); await sleep(0); await sleep(0)
    for i in (1, 2, 3, 4): fs[i].set_result(f"r{i}")
    await wait(ts)
`,
    `
function* take(n, x) { try { log(n + " " + fmt(yield* x)); } catch (e) { log(n + " " + err(e)); throw e; } }
function* main() {
  const fs = [0, 1, 2, 3, 4].map(() => loop.createFuture());
  const ts = [...asCompleted(fs)].map((x, i) => createTask(@take(i, x)));
  yield* sleep(0);
  fs[0].setResult("r0");
  ts[1].cancel("c1");
  yield* sleep(0); yield* sleep(0); yield* sleep(0);
  for (const i of [1, 2, 3, 4]) fs[i].setResult("r" + i);
  yield* wait(ts);
}`,
  ),
  {
    name: "as_completed: async iteration",
    python: `${PYTHON}
async def main():
    ts = [create_task(ok(3, 1)), create_task(bad(1, "b")), create_task(ok(2, 3))]
    async for f in as_completed(ts): log(str(ts.index(f)))
    try:
        async for f in as_completed([create_task(ok(3, 4))], timeout=1): log("no")
    except TimeoutError as e: log(err(e))
    await sleep(3)
`,
    script: `${SCRIPT}
async function iterate() {
  const ts = [createTask(@ok(3, 1)), createTask(@bad(1, "b")), createTask(@ok(2, 3))];
  for await (const f of asCompleted(ts)) log(String(ts.indexOf(f)));
  try { for await (const f of asCompleted([createTask(@ok(3, 4))], { timeout: 1 })) log("no"); } catch (e) { log(err(e)); }
}
function* main() { yield* createTask(iterate); yield* sleep(3); }`,
    without: ["gen", "wrapped", "thunk"],
  },
  pair(
    "wait_for: in time, expiring, 0, negative, none",
    `
async def main():
    await a("in", wait_for(ok(1, 1), 3)); await a("ex", wait_for(ok(5, 2), 3)); await a("none", wait_for(ok(1, 3), None))
    await a("zero", wait_for(ok(1, 4), 0)); await a("neg", wait_for(ok(0, 5), -1))
    f = loop.create_future(); f.set_result("d"); await a("done0", wait_for(f, 0)); await a("done1", wait_for(f, 1))
    t = create_task(ok(5, 6)); await sleep(0); await a("task0", wait_for(t, 0)); log(fmt(t.cancelled()))
    t = create_task(stubborn(5, 7)); await sleep(0); await a("stub0", wait_for(t, 0)); log(fmt(t.cancelled()))
    await a("stub", wait_for(stubborn(5, 8), 1)); await a("err", wait_for(bad(1, "e"), 2))
    await a("equal", wait_for(ok(2, 9), 2))
`,
    `
function* main() {
  yield* a("in", () => waitFor(@ok(1, 1), 3)); yield* a("ex", () => waitFor(@ok(5, 2), 3)); yield* a("none", () => waitFor(@ok(1, 3), undefined));
  yield* a("zero", () => waitFor(@ok(1, 4), 0)); yield* a("neg", () => waitFor(@ok(0, 5), -1));
  const f = loop.createFuture(); f.setResult("d"); yield* a("done0", () => waitFor(f, 0)); yield* a("done1", () => waitFor(f, 1));
  let t = createTask(@ok(5, 6)); yield* sleep(0); yield* a("task0", () => waitFor(t, 0)); log(fmt(t.cancelled()));
  t = createTask(@stubborn(5, 7)); yield* sleep(0); yield* a("stub0", () => waitFor(t, 0)); log(fmt(t.cancelled()));
  yield* a("stub", () => waitFor(@stubborn(5, 8), 1)); yield* a("err", () => waitFor(@bad(1, "e"), 2));
  yield* a("equal", () => waitFor(@ok(2, 9), 2));
}`,
  ),
  pair(
    "wait_for: cancelled from outside, also in the turn of the deadline",
    `
async def w(n, d):
    try: return await wait_for(ok(9, n), d)
    except BaseException as e: log(f"w{n} {err(e)} {current_task().cancelling()}"); raise
async def main():
    t = create_task(w(1, 5)); await sleep(1); t.cancel("m1"); await a("t1", t)
    t = create_task(w(2, 5)); await sleep(0); loop.call_later(5, lambda: t.cancel("m2")); await a("t2", t)
    h = []
    t = create_task(w(3, 5)); loop.call_later(5, lambda: t.cancel("m3")); await a("t3", t)
    t = create_task(w(4, 0)); await sleep(0); t.cancel("m4"); await a("t4", t)
    t = create_task(w(5, 5)); await sleep(5); t.cancel("m5"); await a("t5", t)
`,
    `
function* w(n, d) { try { return yield* waitFor(@ok(9, n), d); } catch (e) { log("w" + n + " " + err(e) + " " + currentTask().cancelling()); throw e; } }
function* main() {
  let t = createTask(@w(1, 5)); yield* sleep(1); t.cancel("m1"); yield* a("t1", () => t);
  t = createTask(@w(2, 5)); yield* sleep(0); loop.callLater(5, () => t.cancel("m2")); yield* a("t2", () => t);
  t = createTask(@w(3, 5)); loop.callLater(5, () => t.cancel("m3")); yield* a("t3", () => t);
  t = createTask(@w(4, 0)); yield* sleep(0); t.cancel("m4"); yield* a("t4", () => t);
  t = createTask(@w(5, 5)); yield* sleep(5); t.cancel("m5"); yield* a("t5", () => t);
}`,
  ),
  pair(
    "timeout: nested, equal deadlines, expired()",
    `
async def main():
    for x, y in ((3, 5), (5, 3), (4, 4)):
        o = i = None
        try:
            async with timeout(x) as o:
                try:
                    async with timeout(y) as i:
                        await ok(9, "b")
                except TimeoutError as e: log("inner " + err(e)); await sleep(9)
        except TimeoutError as e: log("outer " + err(e))
        log(fmt(o.expired()) + fmt(i.expired()) + str(current_task().cancelling()))
`,
    `
function* main() {
  for (const [x, y] of [[3, 5], [5, 3], [4, 4]]) {
    let o, i;
    try {
      yield* timeout(x, function* (s) {
        o = s;
        try { yield* timeout(y, function* (s) { i = s; yield* ok(9, "b"); }); } catch (e) { if (!(e instanceof TimeoutError)) throw e; log("inner " + err(e)); yield* sleep(9); }
      });
    } catch (e) { log("outer " + err(e)); }
    log(fmt(o.expired()) + fmt(i.expired()) + currentTask().cancelling());
  }
}`,
  ),
  pair(
    "timeout: 0, past, none, reschedule, late reschedule",
    `
async def main():
    async def body0():
        async with timeout(0): log("no await")
        async with timeout(0): await sleep(0)
    await a("0", body0())
    async def body00():
        async with timeout(0): await sleep(0); await sleep(0); log("never?")
    await a("00", body00())
    async def past():
        async with timeout_at(loop.time() - 5): await ok(1, "p")
    await a("past", past())
    async def none():
        async with timeout(None) as s:
            log(fmt(s.when())); await ok(1, "n"); s.reschedule(loop.time() + 2); log(fmt(s.when())); await ok(5, "m")
    await a("none", none())
    async def re():
        async with timeout(2) as s:
            await sleep(1); s.reschedule(loop.time() + 4); await ok(3, "r"); s.reschedule(None); await ok(9, "s"); s.reschedule(loop.time()); await ok(0, "t"); await ok(1, "u")
    await a("re", re())
    async def late():
        async with timeout(1) as s:
            try: await sleep(5)
            except CancelledError:
                try: s.reschedule(9)
                except RuntimeError as e: log(err(e))
                raise
    await a("late", late())
    async def after():
        async with timeout(1) as s: pass
        s.reschedule(4)
    await a("after", after())
`,
    `
function* body0() { yield* timeout(0, function* () { log("no await"); }); yield* timeout(0, function* () { yield* sleep(0); }); }
function* body00() { yield* timeout(0, function* () { yield* sleep(0); yield* sleep(0); log("never?"); }); }
function* past() { yield* timeoutAt(loop.time() - 5, function* () { yield* ok(1, "p"); }); }
function* none() { yield* timeout(undefined, function* (s) { log(s.when() === Infinity ? "none" : "?"); yield* ok(1, "n"); s.reschedule(loop.time() + 2); log(fmt(s.when())); yield* ok(5, "m"); }); }
function* re() { yield* timeout(2, function* (s) { yield* sleep(1); s.reschedule(loop.time() + 4); yield* ok(3, "r"); s.reschedule(null); yield* ok(9, "s"); s.reschedule(loop.time()); yield* ok(0, "t"); yield* ok(1, "u"); }); }
function* late() { yield* timeout(1, function* (s) { try { yield* sleep(5); } catch (x) { try { s.reschedule(9); } catch (e) { log(err(e)); } throw x; } }); }
function* after() { let s; yield* timeout(1, function* (x) { s = x; }); s.reschedule(4); }
function* main() {
  yield* a("0", () => body0()); yield* a("00", () => body00()); yield* a("past", () => past()); yield* a("none", () => none());
  yield* a("re", () => re()); yield* a("late", () => late()); yield* a("after", () => after());
}`,
  ),
  pair(
    "timeout: body raises another error, swallows, is cancelled from outside as well",
    `
async def other():
    async with timeout(1):
        try: await sleep(5)
        except CancelledError: raise Boom("o")
async def swallow():
    async with timeout(1) as s:
        try: await sleep(5)
        except CancelledError: log("sw")
        log("after " + str(current_task().cancelling()))
        await sleep(1)
    log(fmt(s.expired()) + str(current_task().cancelling()))
    return "sv"
async def outside(s):
    try:
        async with timeout(3): await sleep(9)
    except BaseException as e: log(f"o {err(e)} {current_task().cancelling()}"); raise
async def already():
    current_task().cancel("first")
    try: await sleep(0)
    except CancelledError: pass
    async with timeout(1): await sleep(5)
async def main():
    await a("other", other()); await a("swallow", swallow())
    t = create_task(outside(0)); await sleep(3); t.cancel("x"); await a("out", t)
    t = create_task(outside(0)); loop.call_later(3, lambda: t.cancel("y")); await sleep(0); loop.call_later(3, lambda: t.cancel("z")); await a("out2", t)
    t = create_task(already()); await a("already", t); log(str(t.cancelling()))
`,
    `
function* other() { yield* timeout(1, function* () { try { yield* sleep(5); } catch { throw new Boom("o"); } }); }
function* swallow() {
  let s;
  yield* timeout(1, function* (x) {
    s = x;
    try { yield* sleep(5); } catch { log("sw"); }
    log("after " + currentTask().cancelling());
    yield* sleep(1);
  });
  log(fmt(s.expired()) + currentTask().cancelling());
  return "sv";
}
function* outside() { try { yield* timeout(3, function* () { yield* sleep(9); }); } catch (e) { log("o " + err(e) + " " + currentTask().cancelling()); throw e; } }
function* already() {
  currentTask().cancel("first");
  try { yield* sleep(0); } catch {}
  yield* timeout(1, function* () { yield* sleep(5); });
}
function* main() {
  yield* a("other", () => other()); yield* a("swallow", () => swallow());
  let t = createTask(@outside(0)); yield* sleep(3); t.cancel("x"); yield* a("out", () => t);
  t = createTask(@outside(0)); loop.callLater(3, () => t.cancel("y")); yield* sleep(0); loop.callLater(3, () => t.cancel("z")); yield* a("out2", () => t);
  t = createTask(@already()); yield* a("already", () => t); log(String(t.cancelling()));
}`,
  ),
  pair(
    "shield: outer cancelled, inner goes on; inner fails later; inner cancelled",
    `
async def w(t):
    try: return await shield(t)
    except BaseException as e: log("w " + err(e)); raise
async def main():
    i = create_task(ok(3, 1)); t = create_task(w(i)); await sleep(1); t.cancel("m"); await a("t", t); await a("i", i)
    i = create_task(bad(3, "late")); t = create_task(w(i)); await sleep(1); t.cancel("m"); await a("t", t); await sleep(5)
    i = create_task(ok(3, 1)); t = create_task(w(i)); await sleep(1); i.cancel("inner"); await a("t", t)
    s = shield(ok(1, 5)); await a("s", s)
    f = loop.create_future(); f.set_result(1); log(fmt(shield(f) is f))
    i = create_task(ok(2, 6)); s1 = shield(i); s2 = shield(i); s1.cancel("s1"); await a("s2", s2); await a("s1", s1)
    i = create_task(bad(2, "two")); s1 = shield(i); s2 = shield(i); s1.cancel("s1"); s2.cancel(); await sleep(3)
`,
    `
function* w(t) { try { return yield* shield(t); } catch (e) { log("w " + err(e)); throw e; } }
function* main() {
  let i = createTask(@ok(3, 1)), t = createTask(@w(i)); yield* sleep(1); t.cancel("m"); yield* a("t", () => t); yield* a("i", () => i);
  i = createTask(@bad(3, "late")); t = createTask(@w(i)); yield* sleep(1); t.cancel("m"); yield* a("t", () => t); yield* sleep(5);
  i = createTask(@ok(3, 1)); t = createTask(@w(i)); yield* sleep(1); i.cancel("inner"); yield* a("t", () => t);
  const s = shield(@ok(1, 5)); yield* a("s", () => s);
  const f = loop.createFuture(); f.setResult(1); log(fmt(shield(f) === f));
  i = createTask(@ok(2, 6)); let s1 = shield(i), s2 = shield(i); s1.cancel("s1"); yield* a("s2", () => s2); yield* a("s1", () => s1);
  i = createTask(@bad(2, "two")); s1 = shield(i); s2 = shield(i); s1.cancel("s1"); s2.cancel(); yield* sleep(3);
}`,
  ),
  pair(
    "shield in wait_for and gather",
    `
async def main():
    t = create_task(ok(3, 1))
    await a("wf", wait_for(shield(t), 1)); await a("t", t)
    t = create_task(ok(3, 2)); g = gather(shield(t), ok(5, 3)); await sleep(1); g.cancel("g"); await a("g", g); await a("t", t)
`,
    `
function* main() {
  let t = createTask(@ok(3, 1));
  yield* a("wf", () => waitFor(shield(t), 1)); yield* a("t", () => t);
  t = createTask(@ok(3, 2)); const g = gather(shield(t), @ok(5, 3)); yield* sleep(1); g.cancel("g"); yield* a("g", () => g); yield* a("t", () => t);
}`,
  ),
];
