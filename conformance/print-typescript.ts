/** Prints a program as plain TypeScript: what the interpreter does with it, written out. Twin of print-python.ts. */

import { asAsync, type Form, isCalled } from "./form.ts";
import { HELD } from "./print-python.ts";
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
  /** Whether a return statement would only leave a block, which is a `function*` of its own. */
  readonly inner: boolean;
}

const OUTSIDE: Place = { tag: "", groups: "groups", scopes: [], inner: false };

/** A function `program({ log, loop })` that makes the main job. */
export function printTypeScript(program: Program, form: Form = "gen"): string {
  const bodies = startedBodies(program).flatMap(([i, body]) => [
    "",
    `const work${i} = traced(function* (me, groups) {`,
    ...indent(printBody(body)),
    "});",
  ]);
  const script = ["", "const script: Body = function* (me, groups) {", ...indent(printBody(program.main)), "};"];
  const objects = printObjects(program, [...bodies, ...script].join("\n"));
  const left = HELD.filter((name) => objects.some((line) => line.startsWith(`const ${name} =`))).map((name) => `, ${name}`);
  const lines = [
    "const { step, safely, act, boom, traced, supervised } = straight({ log, loop });",
    ...objects,
    // A body may start any that is written further down.
    ...bodies,
    ...script,
    "",
    `return @supervised(script, ${program.horizon}, { futures, slots${left.join("")} });`,
  ];
  const text = ["function program({ log, loop }: Tools): Job<unknown> {", ...indent(lines), "}"].join("\n");
  return inForm(text, form);
}

/** The text as the other forms have it; `@work(1)` in it is a job in the words of the form, as in pairs. */
export function inForm(text: string, form: Form): string {
  const said = text.replace(/@(?=\w+\()/g, isCalled(form) ? "" : "() => ");
  return form === "async" ? asAsync(said) : said;
}

/** Those of the shared objects that the text uses. */
function printObjects({ objects }: Program, text: string): string[] {
  const list = (items: readonly string[]): string => `[${items.join(", ")}]`;
  const times = (count: number, item: string): string => list(Array.from({ length: count }, () => item));
  const kinds = { f: "Queue", l: "LifoQueue", p: "PriorityQueue" };
  const conditions = Array.from(
    { length: objects.conditions },
    (_, i) => `new Condition(${i < objects.shared ? `locks[${i}]` : ""})`,
  );
  const lines = {
    locks: times(objects.locks, "new Lock()"),
    semaphores: list(objects.semaphores.map(([value, bounded]) => `new ${bounded ? "Bounded" : ""}Semaphore(${value})`)),
    events: times(objects.events, "new Event()"),
    conditions: list(conditions),
    barriers: list(objects.barriers.map((parties) => `new Barrier(${parties})`)),
    queues: list(objects.queues.map(([size, kind]) => `new ${kinds[kind]}<number>(${size})`)),
    variable: 'new ContextVar("v", { default: 0 })',
    contexts: times(objects.contexts, "copyContext()"),
    handles: "new Map<number, Handle>()",
    callbacks: "new Map<number, [Future<unknown>, () => void]>()",
    shared: "{ counter: 0 }",
  };
  const used = Object.entries(lines).filter(
    ([name]) => text.includes(name) || (name === "locks" && text.includes("conditions")),
  );
  const slots = Array.from({ length: objects.slots }, (_, i) => (i % 2 === 0 ? "empty" : `futures[${i % objects.futures}]`));
  return [
    ...used.map(([name, value]) => `const ${name} = ${value};`),
    `const futures: Future<unknown>[] = ${times(objects.futures, "loop.createFuture()")};`,
    "const empty = loop.createFuture<unknown>();",
    'empty.setResult("empty");',
    `const slots: Future<unknown>[] = ${list(slots)};`,
  ];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line === "" ? "" : `  ${line}`));
}

function printBody(body: readonly Statement[]): string[] {
  const lines = printBlock(body, OUTSIDE);
  return lines.some((line) => line.includes("token")) ? ["let token: Token<number> | undefined;", ...lines] : lines;
}

function printBlock(block: readonly Statement[], place: Place): string[] {
  return block.flatMap((statement) => printStatement(statement, place));
}

function printStatement(s: Statement, place: Place): string[] {
  const how = s.safe === true ? "safely" : "step";
  const open = `yield* ${how}(${labelOf(s, place)}, `;
  /** One thing to wait for. */
  const waits = (what: string): string[] => [`${open}() => ${what});`];
  /** A few lines, of which the last one may return what is noted. */
  const noted = (...lines: string[]): string[] => [`${open}function* () {`, ...indent(lines), "});"];
  /** A block, in a function of its own; `lines` are it, and what is around it. */
  const within = (block: readonly Statement[], [head, ...lines]: readonly string[]): string[] => {
    if (!mayReturn(block)) return [`${open}${head}`, ...lines];
    return [`const back${s.id} = ${open}${head}`, ...lines, `if (back${s.id} instanceof Returned) return back${s.id};`];
  };
  const inside = (block: readonly Statement[], at: Place = place): string[] =>
    indent(printBlock(block, { ...at, inner: true }));
  const locked = (what: string): string[] =>
    within((s as { block: Statement[] }).block, [
      `() => ${what}.with(function* () {`,
      ...inside((s as { block: Statement[] }).block),
      "}));",
    ]);
  switch (s.kind) {
    case "return":
      return [place.inner ? `return new Returned(${s.value});` : `return ${s.value};`];
    case "raise":
      return [`throw new ${s.error === "boom" ? "Boom" : "CancelledError"}("r${s.id}");`];
    case "boom":
      return [`boom(${labelOf(s, place)}, "a${s.id}");`];
    case "try":
      return printAttempt(s, place);
    case "turns":
      return noted(`for (let i = 0; i < ${s.count}; i++) yield* sleep(0);`);
    case "await":
      return waits(printTarget(s.target, s.id, place).replace(/^@/, ""));
    case "wait":
      return noted(
        `const these = [${printTargets(s, place)}].map((each) => ensureFuture(each as Job<unknown>));`,
        `const { done } = yield* wait(these, { timeout: ${s.delay ?? undefined}, returnWhen: "${s.returnWhen}" });`,
        'return these.map((each) => (done.has(each) ? "d" : "p")).join("");',
      );
    case "ascompasync":
      return noted(
        `const these: unknown[] = [${printTargets(s, place)}];`,
        `let left = ${s.count};`,
        `for await (const each of asCompleted(these as Job<unknown>[], { timeout: ${s.delay ?? undefined} })) {`,
        `  ${log(s, place, "next {these.indexOf(each)} {state(each)}")}`,
        "  if (--left === 0) break;",
        "}",
      );
    case "ascomp":
      return noted(
        `let left = ${s.count};`,
        `for (const next of asCompleted([${printTargets(s, place)}], { timeout: ${s.delay ?? undefined} })) {`,
        "  if (left-- === 0) break;",
        "  try {",
        `    ${log(s, place, "next={show(yield* next)}")}`,
        "  } catch (error) {",
        "    if (isCancelled(error)) throw error;",
        `    ${log(s, place, "next!{showError(error)}")}`,
        "  }",
        "}",
      );
    case "timeout": {
      const scope = `scope${s.id}`;
      return within(s.block, [
        "function* () {",
        `  let ${scope}!: Timeout;`,
        "  try {",
        `    return yield* ${s.absolute ? "timeoutAt" : "timeout"}(${s.delay}, function* (scope) {`,
        `      ${scope} = scope;`,
        ...indent(indent(inside(s.block, { ...place, scopes: [...place.scopes, scope] }))),
        "    });",
        "  } finally {",
        `    ${log(s, place, `expired {${scope}.expired()} {currentTask()!.cancelling()}`)}`,
        "  }",
        "});",
      ]);
    }
    case "group": {
      const left = log(s, place, "left {currentTask()!.cancelling()}");
      return within(s.block, [
        "function* () {",
        `  const back = yield* taskGroup(function* (group${s.id}) {`,
        `    const groups${s.id} = [...${place.groups}, group${s.id}];`,
        ...indent(inside(s.block, { ...place, groups: `groups${s.id}` })),
        "  });",
        mayReturn(s.block) ? `  if (!(back instanceof Returned)) ${left}` : `  ${left}`,
        "  return back;",
        "});",
      ]);
    }
    case "lockwith":
      return locked(`locks[${s.index}]`);
    case "semwith":
      return locked(`semaphores[${s.index}]`);
    case "condwith":
      return locked(`conditions[${s.index}]`);
    case "barwith":
      return within(s.block, [
        `() => barriers[${s.index}].with(function* (position) {`,
        `  ${log(s, place, "position {position}")}`,
        ...inside(s.block),
        "}));",
      ]);
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
      return waits(printOperation(s, place));
    default: {
      const callback = "actions" in s ? printCallback(s, place) : [];
      return [...callback, `act(${labelOf(s, place)}, () => ${printImmediate(s, place)});`];
    }
  }
}

/** Whether a return statement is in it, other than in a block's callbacks, which have none. */
function mayReturn(block: readonly Statement[]): boolean {
  return JSON.stringify(block).includes('"kind":"return"');
}

function printAttempt(s: Attempt & { id: number }, place: Place): string[] {
  const handled = s.cancelled === null ? ["throw error;"] : printBlock(s.cancelled, place);
  if (s.cancelled !== null && s.afterwards === "raise") handled.push("throw error;");
  if (s.cancelled !== null && s.afterwards === "boom") handled.push(`throw new Boom("x${s.id}");`);
  if (s.cancelled !== null && s.afterwards === "uncancel") handled.push(log(s, place, "uncancel {currentTask()!.uncancel()}"));
  return [
    "try {",
    ...indent(printBlock(s.block, place)),
    "} catch (error) {",
    `  ${log(s, place, "except {showError(error)} {currentTask()!.cancelling()}")}`,
    ...(s.reraise ? ["  if (!isCancelled(error)) throw error;", ...indent(handled)] : []),
    ...(s.reraise ? [] : ["  if (isCancelled(error)) {", ...indent(indent(handled)), "  }"]),
    ...(s.finally === null ? ["}"] : ["} finally {", ...indent(printBlock(s.finally, place)), "}"]),
  ];
}

function printCallback(s: Immediate & { actions: readonly Immediate[] }, place: Place): string[] {
  const inner = { ...place, tag: `${place.tag}.cb${s.id}` };
  return [`const callback${s.id} = () => {`, ...indent(printBlock(s.actions, inner)), "};"];
}

/** The body of an arrow function: an expression whose value is noted, or a block. */
function printImmediate(s: Immediate, place: Place): string {
  switch (s.kind) {
    case "log":
      return "loop.time()";
    case "boom":
      throw new TypeError("printed as it goes on");
    case "inc":
      return "++shared.counter";
    case "cancelself":
      return `currentTask()!.cancel(${printMessage(s.message)})`;
    case "uncancel":
      return "currentTask()!.uncancel()";
    case "selfcount":
      return "currentTask()!.cancelling()";
    case "alltasks":
      return "allTasks().size";
    case "who":
      return "currentTask() && nameOf(currentTask()!)";
    case "setvar":
      // A callback has a token of its own, which nobody asks for.
      return `{ ${place.tag === "" ? "token = " : ""}variable.set(${s.id}); }`;
    case "getvar":
      return "variable.get()";
    case "resetvar":
      return '(token === undefined ? "none" : variable.reset(token))';
    case "spawn":
      return `{ slots[${s.slot}] = createTask(${printStart(s, place)}); }`;
    case "gspawn":
      return `{ slots[${s.slot}] = outward(${place.groups}, ${s.outward}).createTask(${printStart(s, place)}); }`;
    case "cancel":
      return `slots[${s.slot}].cancel(${printMessage(s.message)})`;
    case "state":
      return `state(${printTarget(s.target, s.id, place)})`;
    case "result":
      return `${printTarget(s.target, s.id, place)}.result()`;
    case "exception":
      return `${printTarget(s.target, s.id, place)}.exception()`;
    case "cancelling":
      return `ifTask(slots[${s.slot}], (task) => task.cancelling())`;
    case "uncancelother":
      return `ifTask(slots[${s.slot}], (task) => task.uncancel())`;
    case "name":
      return `ifTask(slots[${s.slot}], nameOf)`;
    case "rename":
      return `{ ifTask(slots[${s.slot}], (task) => { task.name = "r${s.id}"; }); }`;
    case "setf":
      return `futures[${s.index}].setResult(${s.id})`;
    case "setfe":
      return `futures[${s.index}].setException(new Boom("f${s.id}"))`;
    case "newf":
      return `{ futures[${s.index}] = loop.createFuture(); }`;
    case "cancelf":
      return `futures[${s.index}].cancel(${printMessage(s.message)})`;
    case "addcb": {
      const target = printTarget(s.target, s.id, place);
      const context = s.context === null ? "" : `, { context: contexts[${s.context}] }`;
      return `{ callbacks.set(${s.id}, [${target}, callback${s.id}]); ${target}.addDoneCallback(callback${s.id}${context}); }`;
    }
    case "rmcb":
      return `callbacks.get(${s.added})?.[0].removeDoneCallback(callbacks.get(${s.added})![1]) ?? "none"`;
    case "soon":
      return `{ handles.set(${s.handle}, loop.callSoon(callback${s.id})); }`;
    case "later":
      return `{ handles.set(${s.handle}, loop.callLater(${s.delay}, callback${s.id})); }`;
    case "at":
      return `{ handles.set(${s.handle}, loop.callAt(${s.delay}, callback${s.id})); }`;
    case "unhandle":
      return `(handles.has(${s.handle}) ? handles.get(${s.handle})!.cancel() : "none")`;
    case "inctx":
      return `contexts[${s.index}].run(callback${s.id})`;
    case "gatherstore":
      return `{ slots[${s.slot}] = ${printGather(s, place)}; }`;
    case "shieldstore":
      return `{ slots[${s.slot}] = shield(${printTarget(s.target, s.id, place)}); }`;
    case "resched": {
      const when = s.delay === null ? "null" : `loop.time() + ${s.delay}`;
      return `outward<Timeout>([${place.scopes.join(", ")}], ${s.outward}).reschedule(${when})`;
    }
    case "scopestate":
      return `describe(outward<Timeout>([${place.scopes.join(", ")}], ${s.outward}))`;
    case "lockrel":
      return `locks[${s.index}].release()`;
    case "locked":
      return `locks[${s.index}].locked()`;
    case "semrel":
      return `semaphores[${s.index}].release()`;
    case "semlocked":
      return `semaphores[${s.index}].locked()`;
    case "eset":
      return `events[${s.index}].set()`;
    case "eclear":
      return `events[${s.index}].clear()`;
    case "estate":
      return `events[${s.index}].isSet()`;
    case "cnotify":
      return `conditions[${s.index}].notify(${s.count})`;
    case "cnotifyall":
      return `conditions[${s.index}].notifyAll()`;
    case "bstate":
      return `\`\${barriers[${s.index}].nWaiting} \${barriers[${s.index}].broken}\``;
    case "qputn":
      return `queues[${s.index}].putNowait(${s.item})`;
    case "qgetn":
      return `queues[${s.index}].getNowait()`;
    case "qdone":
      return `queues[${s.index}].taskDone()`;
    case "qshut":
      return `queues[${s.index}].shutdown({ immediate: ${s.immediate} })`;
    case "qstate": {
      const queue = `queues[${s.index}]`;
      return `\`\${${queue}.qsize()} \${${queue}.empty()} \${${queue}.full()}\``;
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
      return `waitFor(${printTarget(s.target, s.id, place)}, ${s.delay})`;
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
      return `conditions[${s.index}].waitFor(() => shared.counter >= ${s.count})`;
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
  const options = s.returnExceptions ? ", { returnExceptions: true }" : "";
  return `gather([${printTargets(s, place)}]${options})`;
}

function printTarget(target: Target, id: number, place: Place, i = 0): string {
  if (target[0] === "b") return `@work${target[1]}(\`\${me}${place.tag}/${id}${"abc"[i]}\`)`;
  if (target[0] === "o") return printOperation(target[1], place);
  return `${target[0] === "f" ? "futures" : "slots"}[${target[1]}]`;
}

function printTargets(s: Statement & { targets: Target[] }, place: Place): string {
  return s.targets.map((target, i) => printTarget(target, s.id, place, i)).join(", ");
}

/** The arguments of createTask(). */
function printStart(s: Extract<Immediate, { kind: "spawn" | "gspawn" }>, place: Place): string {
  const options = [`name: "n${s.id}"`];
  if (s.eager !== null) options.push(`eager: ${s.eager}`);
  if (s.kind === "spawn" && s.context !== null) options.push(`context: contexts[${s.context}]`);
  return `@work${s.body}(\`\${me}${place.tag}>${s.id}\`, ${place.groups}), { ${options.join(", ")} }`;
}

function labelOf(s: Statement, place: Place): string {
  return `\`\${me}${place.tag}.${s.id} ${s.kind}\``;
}

/** A line of the trace; `text` may have expressions in braces. */
function log(s: { id: number }, place: Place, text: string): string {
  return `log(\`\${me}${place.tag}.${s.id} ${text.replaceAll("{", "${")}\`);`;
}

function printMessage(message: string): string {
  return message === "" ? "" : `"${message}"`;
}
