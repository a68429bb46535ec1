/** Prints a program as plain Python: what the interpreter does with it, written out. */

import {
  type Attempt,
  type Immediate,
  type Operation,
  type Program,
  type Statement,
  startedBodies,
  type Target,
} from "./program.ts";

/** Where a statement stands. */
interface Place {
  /** What the labels begin with, after the name of who runs it. */
  readonly tag: string;
  /** The name of the list of groups around it. */
  readonly groups: string;
  readonly scopes: readonly string[];
}

/** Objects whose state is noted at last. */
export const HELD = ["locks", "semaphores", "events", "queues", "barriers"];

const OUTSIDE: Place = { tag: "", groups: "groups", scopes: [] };

/** A function `program(log, loop)` that makes the main coroutine. */
export function printPython(program: Program): string {
  const bodies = startedBodies(program).flatMap(([i, body]) => [
    "",
    "@traced",
    `async def work${i}(me, groups):`,
    ...indent(printBody(body)),
  ]);
  const script = ["", "async def script(me, groups):", ...indent(printBody(program.main))];
  const objects = printObjects(program, [...bodies, ...script].join("\n"));
  const left = HELD.filter((name) => objects.some((line) => line.startsWith(`${name} =`))).map((name) => `, ${name}=${name}`);
  const lines = [
    "step, safely, act, traced, supervised = straight(log, loop)",
    ...objects,
    ...bodies,
    ...script,
    "",
    `return supervised(script, ${program.horizon}, futures, slots${left.join("")})`,
  ];
  return ["def program(log, loop):", ...indent(lines)].join("\n");
}

/** Those of the shared objects that the text uses. */
function printObjects({ objects }: Program, text: string): string[] {
  const list = (items: readonly string[]): string => `[${items.join(", ")}]`;
  const times = (count: number, item: string): string => list(Array.from({ length: count }, () => item));
  const kinds = { f: "Queue", l: "LifoQueue", p: "PriorityQueue" };
  const conditions = Array.from(
    { length: objects.conditions },
    (_, i) => `Condition(${i < objects.shared ? `locks[${i}]` : ""})`,
  );
  const lines = {
    locks: times(objects.locks, "Lock()"),
    semaphores: list(objects.semaphores.map(([value, bounded]) => `${bounded ? "Bounded" : ""}Semaphore(${value})`)),
    events: times(objects.events, "Event()"),
    conditions: list(conditions),
    barriers: list(objects.barriers.map((parties) => `Barrier(${parties})`)),
    queues: list(objects.queues.map(([size, kind]) => `${kinds[kind]}(${size})`)),
    variable: 'ContextVar("v", default=0)',
    contexts: times(objects.contexts, "copy_context()"),
    handles: "{}",
    callbacks: "{}",
    shared: "SimpleNamespace(counter=0)",
  };
  const used = Object.entries(lines).filter(
    ([name]) => text.includes(name) || (name === "locks" && text.includes("conditions")),
  );
  const slots = Array.from({ length: objects.slots }, (_, i) => (i % 2 === 0 ? "empty" : `futures[${i % objects.futures}]`));
  return [
    ...used.map(([name, value]) => `${name} = ${value}`),
    `futures = ${times(objects.futures, "loop.create_future()")}`,
    "empty = loop.create_future()",
    'empty.set_result("empty")',
    `slots = ${list(slots)}`,
  ];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line === "" ? "" : `    ${line}`));
}

/** Lines that belong to a head; a single one stands behind it. */
function suite(head: string, lines: readonly string[]): string[] {
  return lines.length === 1 ? [`${head} ${lines[0]}`] : [head, ...indent(lines)];
}

function printBody(body: readonly Statement[]): string[] {
  const lines = printBlock(body, OUTSIDE);
  return lines.some((line) => line.includes("token")) ? ["token = None", ...lines] : lines;
}

function printBlock(block: readonly Statement[], place: Place): string[] {
  const lines = block.flatMap((statement) => printStatement(statement, place));
  return lines.length === 0 ? ["pass"] : lines;
}

function printStatement(s: Statement, place: Place): string[] {
  const label = labelOf(s, place);
  // Blocks nest, so they need names of their own.
  const done = "block" in s ? `done${s.id}` : "done";
  /** Lines that note their result or their error. */
  const noted = (...lines: string[]): string[] =>
    suite(`with ${s.safe === true ? "safely" : "step"}(${label}) as ${done}:`, lines);
  const inside = (block: readonly Statement[], inner = place): string[] => indent(printBlock(block, inner));
  switch (s.kind) {
    case "return":
      return [`return ${s.value}`];
    case "raise":
      return [`raise ${s.error === "boom" ? "Boom" : "CancelledError"}("r${s.id}")`];
    case "boom":
      return [`with step(${label}): raise Boom("a${s.id}")`];
    case "try":
      return printAttempt(s, place);
    case "turns":
      return noted(`for _ in range(${s.count}): await sleep(0)`, "done()");
    case "await":
      return noted(`done(await ${printTarget(s.target, s.id, place)})`);
    case "wait":
      return noted(
        `these = [ensure_future(each) for each in [${printTargets(s, place)}]]`,
        `ended, pending = await wait(these, timeout=${orNone(s.delay)}, return_when=${s.returnWhen})`,
        'done("".join("d" if each in ended else "p" for each in these))',
      );
    case "ascomp":
      return noted(
        `left = ${s.count}`,
        `for coming in as_completed([${printTargets(s, place)}], timeout=${orNone(s.delay)}):`,
        "    if left == 0:",
        "        coming.close()",
        "        break",
        "    left -= 1",
        `    try: ${log(s, place, "next={fmt(await coming)}")}`,
        `    except Exception as e: ${log(s, place, "next!{err(e)}")}`,
        "done()",
      );
    case "ascompasync":
      return noted(
        `these = [${printTargets(s, place)}]`,
        `left = ${s.count}`,
        `async for each in as_completed(these, timeout=${orNone(s.delay)}):`,
        `    ${log(s, place, "next {these.index(each) if each in these else -1} {state(each)}")}`,
        "    left -= 1",
        "    if left == 0: break",
        "done()",
      );
    case "timeout": {
      const scope = `scope${s.id}`;
      return noted(
        `${scope} = ${s.absolute ? "timeout_at" : "timeout"}(${orNone(s.delay)})`,
        "try:",
        `    async with ${scope}:`,
        ...indent(inside(s.block, { ...place, scopes: [...place.scopes, scope] })),
        "finally:",
        `    ${log(s, place, `expired {fmt(${scope}.expired())} {current_task().cancelling()}`)}`,
        `${done}()`,
      );
    }
    case "group": {
      const groups = `groups${s.id}`;
      return noted(
        `async with TaskGroup() as group${s.id}:`,
        `    ${groups} = (*${place.groups}, group${s.id})`,
        ...inside(s.block, { ...place, groups }),
        log(s, place, "left {current_task().cancelling()}"),
        `${done}()`,
      );
    }
    case "lockwith":
      return noted(`async with locks[${s.index}]:`, ...inside(s.block), `${done}()`);
    case "semwith":
      return noted(`async with semaphores[${s.index}]:`, ...inside(s.block), `${done}()`);
    case "condwith":
      return noted(`async with conditions[${s.index}]:`, ...inside(s.block), `${done}()`);
    case "barwith":
      return noted(
        `async with barriers[${s.index}] as position:`,
        `    ${log(s, place, "position {position}")}`,
        ...inside(s.block),
        `${done}()`,
      );
    case "sleep":
    case "gather":
    case "waitfor":
    case "shield":
    case "lockacq":
    case "semacq":
    case "ewait":
    case "cwait":
    case "cwaitfor":
    case "bwait":
    case "breset":
    case "babort":
    case "qput":
    case "qget":
    case "qjoin":
      return noted(`done(await ${printOperation(s, place)})`);
    default: {
      const [before, result] = printImmediate(s, place);
      const callback = "actions" in s ? printCallback(s, place) : [];
      return [...callback, ...suite(`with act(${label}) as done:`, [...before, `done(${result})`])];
    }
  }
}

function printAttempt(s: Attempt & { id: number }, place: Place): string[] {
  const note = log(s, place, "except {err(e)} {current_task().cancelling()}");
  const handled = s.cancelled === null ? ["raise"] : printBlock(s.cancelled, place);
  if (s.cancelled !== null && s.afterwards === "raise") handled.push("raise");
  if (s.cancelled !== null && s.afterwards === "boom") handled.push(`raise Boom("x${s.id}")`);
  if (s.cancelled !== null && s.afterwards === "uncancel") handled.push(log(s, place, "uncancel {current_task().uncancel()}"));
  return [
    "try:",
    ...indent(printBlock(s.block, place)),
    "except CancelledError as e:",
    ...indent([note, ...handled]),
    "except BaseException as e:",
    ...indent([note, ...(s.reraise ? ["raise"] : [])]),
    ...(s.finally === null ? [] : ["finally:", ...indent(printBlock(s.finally, place))]),
  ];
}

function printCallback(s: Immediate & { actions: readonly Immediate[] }, place: Place): string[] {
  const inner = { ...place, tag: `${place.tag}.cb${s.id}` };
  return [`def callback${s.id}(*_):`, ...indent(printBlock(s.actions, inner))];
}

/** Statements that go before, and the expression whose value is noted. */
function printImmediate(s: Immediate, place: Place): [before: string[], result: string] {
  const value = (result: string): [string[], string] => [[], result];
  const effect = (...before: string[]): [string[], string] => [before, ""];
  switch (s.kind) {
    case "log":
      return value("loop.time()");
    case "boom":
      throw new TypeError("printed as it goes on");
    case "inc":
      return [["shared.counter += 1"], "shared.counter"];
    case "cancelself":
      return value(`current_task().cancel(${printMessage(s.message)})`);
    case "uncancel":
      return value("current_task().uncancel()");
    case "selfcount":
      return value("current_task().cancelling()");
    case "alltasks":
      return value("len(all_tasks())");
    case "who":
      return value("current_task() and name_of(current_task())");
    case "setvar":
      // A callback has a token of its own, which nobody asks for.
      return effect(`${place.tag === "" ? "token = " : ""}variable.set(${s.id})`);
    case "getvar":
      return value("variable.get()");
    case "resetvar":
      return value('"none" if token is None else variable.reset(token)');
    case "spawn":
      return effect(`slots[${s.slot}] = create_task(${printStart(s, place)})`);
    case "gspawn":
      return effect(`slots[${s.slot}] = outward(${place.groups}, ${s.outward}).create_task(${printStart(s, place)})`);
    case "cancel":
      return value(`slots[${s.slot}].cancel(${printMessage(s.message)})`);
    case "state":
      return value(`state(${printTarget(s.target, s.id, place)})`);
    case "result":
      return value(`${printTarget(s.target, s.id, place)}.result()`);
    case "exception":
      return value(`${printTarget(s.target, s.id, place)}.exception()`);
    case "cancelling":
      return value(`if_task(slots[${s.slot}], Task.cancelling)`);
    case "uncancelother":
      return value(`if_task(slots[${s.slot}], Task.uncancel)`);
    case "name":
      return value(`if_task(slots[${s.slot}], name_of)`);
    case "rename":
      return effect(`if_task(slots[${s.slot}], lambda task: task.set_name("r${s.id}"))`);
    case "setf":
      return value(`futures[${s.index}].set_result(${s.id})`);
    case "setfe":
      return value(`futures[${s.index}].set_exception(Boom("f${s.id}"))`);
    case "newf":
      return effect(`futures[${s.index}] = loop.create_future()`);
    case "cancelf":
      return value(`futures[${s.index}].cancel(${printMessage(s.message)})`);
    case "addcb": {
      const target = printTarget(s.target, s.id, place);
      const context = s.context === null ? "" : `, context=contexts[${s.context}]`;
      return [[`callbacks[${s.id}] = ${target}, callback${s.id}`], `${target}.add_done_callback(callback${s.id}${context})`];
    }
    case "rmcb": {
      const removed = `callbacks[${s.added}][0].remove_done_callback(callbacks[${s.added}][1])`;
      return value(`${removed} if ${s.added} in callbacks else "none"`);
    }
    case "soon":
      return effect(`handles[${s.handle}] = loop.call_soon(callback${s.id})`);
    case "later":
      return effect(`handles[${s.handle}] = loop.call_later(${s.delay}, callback${s.id})`);
    case "at":
      return effect(`handles[${s.handle}] = loop.call_at(${s.delay}, callback${s.id})`);
    case "unhandle":
      return value(`handles[${s.handle}].cancel() if ${s.handle} in handles else "none"`);
    case "inctx":
      return value(`contexts[${s.index}].run(callback${s.id})`);
    case "gatherstore":
      return effect(`slots[${s.slot}] = ${printGather(s, place)}`);
    case "shieldstore":
      return effect(`slots[${s.slot}] = shield(${printTarget(s.target, s.id, place)})`);
    case "resched": {
      const when = s.delay === null ? "None" : `loop.time() + ${s.delay}`;
      return value(`outward([${place.scopes.join(", ")}], ${s.outward}).reschedule(${when})`);
    }
    case "scopestate":
      return value(`describe(outward([${place.scopes.join(", ")}], ${s.outward}))`);
    case "lockrel":
      return value(`locks[${s.index}].release()`);
    case "locked":
      return value(`locks[${s.index}].locked()`);
    case "semrel":
      return value(`semaphores[${s.index}].release()`);
    case "semlocked":
      return value(`semaphores[${s.index}].locked()`);
    case "eset":
      return value(`events[${s.index}].set()`);
    case "eclear":
      return value(`events[${s.index}].clear()`);
    case "estate":
      return value(`events[${s.index}].is_set()`);
    case "cnotify":
      return value(`conditions[${s.index}].notify(${s.count})`);
    case "cnotifyall":
      return value(`conditions[${s.index}].notify_all()`);
    case "bstate":
      return value(`f"{barriers[${s.index}].n_waiting} {fmt(barriers[${s.index}].broken)}"`);
    case "qputn":
      return value(`queues[${s.index}].put_nowait(${s.item})`);
    case "qgetn":
      return value(`queues[${s.index}].get_nowait()`);
    case "qdone":
      return value(`queues[${s.index}].task_done()`);
    case "qshut":
      return value(`queues[${s.index}].shutdown(immediate=${s.immediate ? "True" : "False"})`);
    case "qstate": {
      const queue = `queues[${s.index}]`;
      return value(`f"{${queue}.qsize()} {fmt(${queue}.empty())} {fmt(${queue}.full())}"`);
    }
  }
}

function printOperation(s: Operation, place: Place): string {
  switch (s.kind) {
    case "sleep":
      return `sleep(${s.delay}, ${s.id})`;
    case "gather":
      return printGather(s, place);
    case "waitfor":
      return `wait_for(${printTarget(s.target, s.id, place)}, ${orNone(s.delay)})`;
    case "shield":
      return `shield(${printTarget(s.target, s.id, place)})`;
    case "lockacq":
      return `locks[${s.index}].acquire()`;
    case "semacq":
      return `semaphores[${s.index}].acquire()`;
    case "ewait":
      return `events[${s.index}].wait()`;
    case "cwait":
      return `conditions[${s.index}].wait()`;
    case "cwaitfor":
      return `conditions[${s.index}].wait_for(lambda: shared.counter >= ${s.count})`;
    case "bwait":
      return `barriers[${s.index}].wait()`;
    case "breset":
      return `barriers[${s.index}].reset()`;
    case "babort":
      return `barriers[${s.index}].abort()`;
    case "qput":
      return `queues[${s.index}].put(${s.item})`;
    case "qget":
      return `queues[${s.index}].get()`;
    case "qjoin":
      return `queues[${s.index}].join()`;
  }
}

function printGather(s: Statement & { targets: Target[]; returnExceptions: boolean }, place: Place): string {
  const parts = s.targets.map((target, i) => printTarget(target, s.id, place, i));
  if (s.returnExceptions) parts.push("return_exceptions=True");
  return `gather(${parts.join(", ")})`;
}

function printTarget(target: Target, id: number, { tag, ...place }: Place, i = 0): string {
  if (target[0] === "b") return `work${target[1]}(f"{me}${tag}/${id}${"abc"[i]}")`;
  if (target[0] === "o") return printOperation(target[1], { tag, ...place });
  return `${target[0] === "f" ? "futures" : "slots"}[${target[1]}]`;
}

function printTargets(s: Statement & { targets: Target[] }, place: Place): string {
  return s.targets.map((target, i) => printTarget(target, s.id, place, i)).join(", ");
}

/** The arguments of create_task(). */
function printStart(s: Extract<Immediate, { kind: "spawn" | "gspawn" }>, place: Place): string {
  const parts = [`work${s.body}(f"{me}${place.tag}>${s.id}", ${place.groups})`, `name="n${s.id}"`];
  if (s.eager !== null) parts.push(`eager_start=${s.eager ? "True" : "False"}`);
  if (s.kind === "spawn" && s.context !== null) parts.push(`context=contexts[${s.context}]`);
  return parts.join(", ");
}

function labelOf(s: Statement, place: Place): string {
  return `f"{me}${place.tag}.${s.id} ${s.kind}"`;
}

/** A line of the trace; `text` may have expressions in braces. */
function log(s: { id: number }, place: Place, text: string): string {
  return `log(f"{me}${place.tag}.${s.id} ${text}")`;
}

function printMessage(message: string): string {
  return message === "" ? "" : `"${message}"`;
}

function orNone(delay: number | null): string {
  return delay === null ? "None" : String(delay);
}
