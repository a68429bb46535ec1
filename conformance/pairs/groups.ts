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
async def nasty(d, m):
    try: await sleep(d)
    except CancelledError: raise Boom(m)
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
function* nasty(d, m) { try { yield* sleep(d); } catch { throw new Boom(m); } }
`;
const pair = pairsWith(PYTHON, SCRIPT);
export const groups: readonly Pair[] = [
  pair(
    "TaskGroup: empty, results, body value",
    `
async def main():
    async with TaskGroup() as g: pass
    log("e")
    async with TaskGroup() as g:
        x = g.create_task(ok(2, 1)); y = g.create_task(ok(1, 2)); log("body")
    log(fmt([x.result(), y.result()]))
`,
    `
function* main() {
  yield* taskGroup(function* () {});
  log("e");
  let x, y;
  yield* taskGroup(function* (g) { x = g.createTask(@ok(2, 1)); y = g.createTask(@ok(1, 2)); log("body"); });
  log(fmt([x.result(), y.result()]));
}`,
  ),
  pair(
    "TaskGroup: child error in body, at exit; several errors; error while aborting",
    `
async def body(kind):
    async with TaskGroup() as g:
        g.create_task(bad(1, "x")); g.create_task(ok(3, 1))
        if kind == 1: await ok(5, "body")
        if kind == 2: g.create_task(bad(1, "y"))
        if kind == 3: g.create_task(nasty(5, "z")); g.create_task(nasty(6, "zz"))
        if kind == 4: await sleep(0); raise Boom("in body")
        if kind == 5:
            try: await sleep(4)
            except CancelledError: raise Boom("from cancel")
        if kind == 6:
            try: await sleep(4)
            except CancelledError: log("swallowed " + str(current_task().cancelling()))
            await sleep(1)
async def main():
    for k in range(7):
        await a(str(k), body(k)); log(str(current_task().cancelling()))
`,
    `
function* body(kind) {
  yield* taskGroup(function* (g) {
    g.createTask(@bad(1, "x")); g.createTask(@ok(3, 1));
    if (kind === 1) yield* ok(5, "body");
    if (kind === 2) g.createTask(@bad(1, "y"));
    if (kind === 3) { g.createTask(@nasty(5, "z")); g.createTask(@nasty(6, "zz")); }
    if (kind === 4) { yield* sleep(0); throw new Boom("in body"); }
    if (kind === 5) { try { yield* sleep(4); } catch { throw new Boom("from cancel"); } }
    if (kind === 6) { try { yield* sleep(4); } catch { log("swallowed " + currentTask().cancelling()); } yield* sleep(1); }
  });
}
function* main() { for (let k = 0; k < 7; k++) { yield* a(String(k), () => body(k)); log(String(currentTask().cancelling())); } }`,
  ),
  pair(
    "TaskGroup: cancelled from outside, in body, at exit, repeatedly, with child error too",
    `
async def slow(v):
    try: await sleep(9)
    finally:
        await sleep(2); log("slow out " + v)
async def body(kind):
    async with TaskGroup() as g:
        g.create_task(slow("s"))
        if kind == 3: g.create_task(nasty(9, "n"))
        if kind in (0, 3): await sleep(8)
    log("not")
async def main():
    for k in range(4):
        t = create_task(body(k)); await sleep(1); t.cancel("m1")
        if k == 2: await sleep(1); t.cancel("m2")
        await a(str(k), t); log(str(t.cancelling()))
`,
    `
function* slow(v) { try { yield* sleep(9); } finally { yield* sleep(2); log("slow out " + v); } }
function* body(kind) {
  yield* taskGroup(function* (g) {
    g.createTask(@slow("s"));
    if (kind === 3) g.createTask(@nasty(9, "n"));
    if (kind === 0 || kind === 3) yield* sleep(8);
  });
  log("not");
}
function* main() {
  for (let k = 0; k < 4; k++) {
    const t = createTask(@body(k)); yield* sleep(1); t.cancel("m1");
    if (k === 2) { yield* sleep(1); t.cancel("m2"); }
    yield* a(String(k), () => t); log(String(t.cancelling()));
  }
}`,
  ),
  pair(
    "TaskGroup: nested, both failing in the same turn; outer continues",
    `
async def inner():
    async with TaskGroup() as g: g.create_task(bad(1, "i")); await sleep(5)
async def both():
    async with TaskGroup() as o:
        o.create_task(bad(1, "o"))
        try:
            async with TaskGroup() as g: g.create_task(bad(1, "i")); await sleep(5)
        except BaseException as e:
            log("caught " + err(e) + str(current_task().cancelling()))
        try: await sleep(3); log("went on")
        except CancelledError as e: log("re " + str(current_task().cancelling())); raise
async def main():
    await a("n", inner()); await a("both", both()); log(str(current_task().cancelling()))
    async def deep():
        async with TaskGroup() as o:
            o.create_task(inner()); o.create_task(ok(4, 1))
    await a("deep", deep())
`,
    `
function* inner() { yield* taskGroup(function* (g) { g.createTask(@bad(1, "i")); yield* sleep(5); }); }
function* both() {
  yield* taskGroup(function* (o) {
    o.createTask(@bad(1, "o"));
    try { yield* taskGroup(function* (g) { g.createTask(@bad(1, "i")); yield* sleep(5); }); }
    catch (e) { log("caught " + err(e) + currentTask().cancelling()); }
    try { yield* sleep(3); log("went on"); } catch (e) { log("re " + currentTask().cancelling()); throw e; }
  });
}
function* deep() { yield* taskGroup(function* (o) { o.createTask(@inner()); o.createTask(@ok(4, 1)); }); }
function* main() {
  yield* a("n", () => inner()); yield* a("both", () => both()); log(String(currentTask().cancelling()));
  yield* a("deep", () => deep());
}`,
  ),
  pair(
    "TaskGroup: create_task from child during exit, while aborting, after the end",
    `
async def spawner(g):
    await sleep(1); g.create_task(ok(1, "late"))
async def spawn_on_cancel(g):
    try: await sleep(9)
    finally:
        try: g.create_task(ok(1, "no"))
        except RuntimeError as e: log("refused " + err(e))
async def main():
    async def one():
        async with TaskGroup() as g: g.create_task(spawner(g))
        try: g.create_task(ok(1, "after"))
        except RuntimeError as e: log(err(e))
    await a("1", one())
    async def two():
        async with TaskGroup() as g: g.create_task(spawn_on_cancel(g)); g.create_task(bad(1, "q"))
    await a("2", two())
`,
    `
function* spawner(g) { yield* sleep(1); g.createTask(@ok(1, "late")); }
function* spawnOnCancel(g) { try { yield* sleep(9); } finally { try { g.createTask(@ok(1, "no")); } catch (e) { log("refused " + err(e)); } } }
function* one() {
  let g;
  yield* taskGroup(function* (x) { g = x; g.createTask(@spawner(g)); });
  try { g.createTask(@ok(1, "after")); } catch (e) { log(err(e)); }
}
function* two() { yield* taskGroup(function* (g) { g.createTask(@spawnOnCancel(g)); g.createTask(@bad(1, "q")); }); }
function* main() { yield* a("1", () => one()); yield* a("2", () => two()); }`,
  ),
  pair(
    "TaskGroup: child cancels itself, is cancelled by sibling, raises CE; body raises CE",
    `
async def selfc():
    current_task().cancel("s"); await sleep(0)
async def raisec(): raise CancelledError("r")
async def main():
    async def one():
        async with TaskGroup() as g:
            x = g.create_task(selfc()); y = g.create_task(raisec()); z = g.create_task(ok(2, "z"))
            await sleep(1)
        log(fmt([x.cancelled(), y.cancelled(), z.result()]))
    await a("1", one())
    async def two():
        async with TaskGroup() as g:
            g.create_task(ok(2, "t")); await sleep(0)
            raise CancelledError("body")
    t = create_task(two()); await a("2", t); log(fmt(t.cancelled()))
    async def three():
        async with TaskGroup() as g:
            t = g.create_task(ok(5, "c")); await sleep(1); t.cancel("child"); await t
    t = create_task(three()); await a("3", t)
`,
    `
function* selfc() { currentTask().cancel("s"); yield* sleep(0); }
function* raisec() { throw new CancelledError("r"); }
function* one() {
  let x, y, z;
  yield* taskGroup(function* (g) { x = g.createTask(@selfc()); y = g.createTask(@raisec()); z = g.createTask(@ok(2, "z")); yield* sleep(1); });
  log(fmt([x.cancelled(), y.cancelled(), z.result()]));
}
function* two() { yield* taskGroup(function* (g) { g.createTask(@ok(2, "t")); yield* sleep(0); throw new CancelledError("body"); }); }
function* three() { yield* taskGroup(function* (g) { const t = g.createTask(@ok(5, "c")); yield* sleep(1); t.cancel("child"); yield* t; }); }
function* main() {
  yield* a("1", () => one());
  let t = createTask(@two()); yield* a("2", () => t); log(fmt(t.cancelled()));
  t = createTask(@three()); yield* a("3", () => t);
}`,
  ),
  pair(
    "TaskGroup in timeout, timeout in TaskGroup, wait_for in TaskGroup",
    `
async def main():
    async def one():
        async with timeout(2):
            async with TaskGroup() as g: g.create_task(ok(9, 1)); g.create_task(nasty(9, "n"))
    await a("1", one())
    async def two():
        async with TaskGroup() as g:
            g.create_task(wait_for(ok(9, 2), 1)); await ok(5, "b")
    await a("2", two())
    async def three():
        async with TaskGroup() as g:
            g.create_task(bad(2, "same"))
            async with timeout(2): await sleep(9)
    await a("3", three()); log(str(current_task().cancelling()))
    async def four():
        async with timeout(2):
            async with TaskGroup() as g:
                g.create_task(bad(2, "same")); await sleep(9)
    await a("4", four()); log(str(current_task().cancelling()))
`,
    `
function* one() { yield* timeout(2, function* () { yield* taskGroup(function* (g) { g.createTask(@ok(9, 1)); g.createTask(@nasty(9, "n")); }); }); }
function* two() { yield* taskGroup(function* (g) { g.createTask(waitFor(@ok(9, 2), 1)); yield* ok(5, "b"); }); }
function* three() { yield* taskGroup(function* (g) { g.createTask(@bad(2, "same")); yield* timeout(2, function* () { yield* sleep(9); }); }); }
function* four() { yield* timeout(2, function* () { yield* taskGroup(function* (g) { g.createTask(@bad(2, "same")); yield* sleep(9); }); }); }
function* main() {
  yield* a("1", () => one()); yield* a("2", () => two());
  yield* a("3", () => three()); log(String(currentTask().cancelling()));
  yield* a("4", () => four()); log(String(currentTask().cancelling()));
}`,
  ),
  pair(
    "eager_start: no wait, waits, raises, self-cancel, current_task",
    `
async def instant(v):
    log(f"i {v} {current_task() is not None}".lower()); return v
async def boom(): raise Boom("e")
async def selfc(): current_task().cancel("sc"); return 1
async def selfw(): current_task().cancel("sw"); await sleep(0)
async def main():
    me = current_task()
    t = create_task(instant(1), eager_start=True, name="nm"); log(fmt(t.done()) + fmt(current_task() is me)); await a("1", t)
    t = create_task(ok(1, 2), eager_start=True); log("made"); await a("2", t)
    t = create_task(boom(), eager_start=True); log(fmt(t.done())); await a("3", t)
    t = create_task(selfc(), eager_start=True); log(fmt(t.done()) + fmt(t.cancelled())); await a("4", t)
    t = create_task(selfw(), eager_start=True); log(fmt(t.done())); await a("5", t)
    t = create_task(ok(0, 6), eager_start=True); t.cancel("x"); await a("6", t)
    await a("g", gather(create_task(instant(7), eager_start=True), create_task(ok(0, 8), eager_start=True)))
    async def grp():
        async with TaskGroup() as g:
            g.create_task(boom(), eager_start=True); log("still"); await sleep(0); log("here?")
    await a("grp", grp())
`,
    `
function* instant(v) { log("i " + v + " " + (currentTask() !== null)); return v; }
function* boom() { throw new Boom("e"); }
function* selfc() { currentTask().cancel("sc"); return 1; }
function* selfw() { currentTask().cancel("sw"); yield* sleep(0); }
function* grp() { yield* taskGroup(function* (g) { g.createTask(@boom(), { eager: true }); log("still"); yield* sleep(0); log("here?"); }); }
function* main() {
  const me = currentTask();
  let t = createTask(@instant(1), { eager: true, name: "nm" }); log(fmt(t.done()) + fmt(currentTask() === me)); yield* a("1", () => t);
  t = createTask(@ok(1, 2), { eager: true }); log("made"); yield* a("2", () => t);
  t = createTask(@boom(), { eager: true }); log(fmt(t.done())); yield* a("3", () => t);
  t = createTask(@selfc(), { eager: true }); log(fmt(t.done()) + fmt(t.cancelled())); yield* a("4", () => t);
  t = createTask(@selfw(), { eager: true }); log(fmt(t.done())); yield* a("5", () => t);
  t = createTask(@ok(0, 6), { eager: true }); t.cancel("x"); yield* a("6", () => t);
  yield* a("g", () => gather(createTask(@instant("Task"), { eager: true, name: "q" }), createTask(@ok(0, 8), { eager: true })));
  yield* a("grp", () => grp());
}`.replace('@instant("Task"), { eager: true, name: "q" }', "@instant(7), { eager: true }"),
  ),
  pair(
    "eager factory with gather, TaskGroup, shield, wait_for",
    `
async def f(v): return v
async def main():
    loop.set_task_factory(eager_task_factory)
    await a("g", gather(f(1), f(2))); 
    await a("g2", gather(f(1), ok(0, 2), bad(0, "x")))
    async def grp():
        async with TaskGroup() as g:
            x = g.create_task(f(1)); y = g.create_task(ok(1, 9)); g.create_task(bad(0, "q"))
    await a("grp", grp())
    await a("sh", shield(f(3))); await a("wf", wait_for(ok(1, 4), 3)); await a("wf0", wait_for(f(5), 0)); await a("wf1", wait_for(ok(0, 6), 0))
    for x in as_completed([f(1), ok(1, 2)]): await a("ac", x)
    d, p = await wait([create_task(f(1)), create_task(ok(2, 2))], return_when=FIRST_COMPLETED); log(f"{len(d)}{len(p)}")
    loop.set_task_factory(None)
`,
    `
function* f(v) { return v; }
function* grp() { yield* taskGroup(function* (g) { g.createTask(@f(1)); g.createTask(@ok(1, 9)); g.createTask(@bad(0, "q")); }); }
function* main() {
  loop.setTaskFactory(eagerTaskFactory);
  yield* a("g", () => gather(@f(1), @f(2)));
  yield* a("g2", () => gather(@f(1), @ok(0, 2), @bad(0, "x")));
  yield* a("grp", () => grp());
  yield* a("sh", () => shield(@f(3))); yield* a("wf", () => waitFor(@ok(1, 4), 3)); yield* a("wf0", () => waitFor(@f(5), 0)); yield* a("wf1", () => waitFor(@ok(0, 6), 0));
  for (const x of asCompleted([@f(1), @ok(1, 2)])) yield* a("ac", () => x);
  const { done: d, pending: p } = yield* wait([createTask(@f(1)), createTask(@ok(2, 2))], { returnWhen: FIRST_COMPLETED }); log(d.size + "" + p.size);
  loop.setTaskFactory(null);
}`,
  ),
  pair(
    "staggered_race: success, failure, delay, all fail, cancelled from outside",
    `
def go(fs, d):
    async def run():
        v, w, ex = await staggered_race(fs, d)
        log(f"{fmt(v)} {fmt(w)} {fmt(ex)}")
    return run()
async def main():
    await a("1", go([lambda: ok(3, 1), lambda: ok(1, 2)], 1))
    await a("2", go([lambda: bad(1, "x"), lambda: ok(1, 2)], 5))
    await a("3", go([lambda: bad(1, "x"), lambda: bad(1, "y")], None))
    await a("4", go([lambda: ok(5, 1), lambda: ok(5, 2), lambda: ok(5, 3)], 1))
    await a("5", go([], 1))
    t = create_task(go([lambda: ok(5, 1), lambda: ok(5, 2)], 1)); await sleep(2); t.cancel("m"); await a("6", t)
    await a("7", go([lambda: ok(1, 1), lambda: ok(5, 2)], 1))
    await a("8", go([lambda: ok(2, 1), lambda: ok(1, 2)], 1))
    await a("9", go([lambda: nasty(5, "n"), lambda: ok(1, 2)], 1))
    await a("10", go([lambda: ok(0, 1), lambda: ok(0, 2)], 0))
`,
    `
function* go(fs, d) { const { value: v, winner: w, exceptions: ex } = yield* staggeredRace(fs, d); log(fmt(v) + " " + fmt(w) + " " + fmt([...ex])); }
function* main() {
  yield* a("1", () => go([() => ok(3, 1), () => ok(1, 2)], 1));
  yield* a("2", () => go([() => bad(1, "x"), () => ok(1, 2)], 5));
  yield* a("3", () => go([() => bad(1, "x"), () => bad(1, "y")], undefined));
  yield* a("4", () => go([() => ok(5, 1), () => ok(5, 2), () => ok(5, 3)], 1));
  yield* a("5", () => go([], 1));
  const t = createTask(@go([() => ok(5, 1), () => ok(5, 2)], 1)); yield* sleep(2); t.cancel("m"); yield* a("6", () => t);
  yield* a("7", () => go([() => ok(1, 1), () => ok(5, 2)], 1));
  yield* a("8", () => go([() => ok(2, 1), () => ok(1, 2)], 1));
  yield* a("9", () => go([() => nasty(5, "n"), () => ok(1, 2)], 1));
  yield* a("10", () => go([() => ok(0, 1), () => ok(0, 2)], 0));
}`,
  ),
];
