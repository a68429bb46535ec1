/** What is under way outside of the program, as far as the platform tells. */

// Tests may fake the global timers; real waiting needs the real ones.
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;

interface Resource {
  readonly kind: string;
  readonly ref: WeakRef<{ hasRef?(): boolean }>;
}

/** What is under way of what was made while somebody watched, by Node's number of it. */
const made = new Map<number, Resource>();
/** Timers of the kit itself. */
const own = new WeakSet<object>();
/** Node's own kinds, and timers; AsyncResources that JavaScript makes are called anything, and do nothing by themselves. */
const OUTSIDE = /^(?!PROMISE$|FINALIZATIONREGISTRY$)([A-Z0-9_]+|Timeout)$/;

let hook: import("node:async_hooks").AsyncHook | null = null;
let users = 0;
/** Whether the hook is told of anything: Bun has it by name only. */
let hookTells = false;
let listTells: boolean | undefined;

/**
 * Watches everything that is made from now on, until the returned function is called.
 *
 * Node lists what keeps a process alive, but not all of it (threads of the pool, workers), and one that ends hides one that begins.
 * Its async hooks tell all, but make every promise slower: so they are for single tests, not for explorations.
 */
export function watchResources(): () => void {
  hook ??=
    globalThis.process?.getBuiltinModule?.("node:async_hooks").createHook({
      init(id, kind, _trigger, resource) {
        if (OUTSIDE.test(kind)) made.set(id, { kind, ref: new WeakRef(resource) });
      },
      destroy(id) {
        made.delete(id);
      },
    }) ?? null;
  if (users++ === 0) {
    hook?.enable();
    stopTimer(startTimer(() => {}, 0));
    hookTells = made.size > 0;
    made.clear();
  }
  return () => {
    if (--users > 0) return;
    hook?.disable();
    made.clear();
  };
}

/** As setTimeout, by a timer that does not count as something outside. */
export function waitReally(callback: () => void, milliseconds: number): void {
  own.add(Object(startTimer(callback, milliseconds)));
}

/** What was under way at a time, to be compared with later times. */
export class Resources {
  readonly #before = countListed();

  /** The kinds of what is under way now and was not then; null where the platform does not tell. */
  added(): string[] | null {
    if (users > 0 && hookTells) return kindsMade();
    listTells ??= testList();
    if (!listTells) return null;
    return [...countListed()].filter(([kind, count]) => count > (this.#before.get(kind) ?? 0)).map(([kind]) => kind);
  }
}

function kindsMade(): string[] {
  // What would not keep the process alive is not waited for: caches' and pools' own timers, say.
  return [...made.values()].filter(({ ref }) => counts(ref.deref())).map((each) => each.kind);
}

function counts(resource: { hasRef?(): boolean } | undefined): boolean {
  return resource === undefined || (resource.hasRef?.() !== false && !own.has(resource));
}

/** How many resources of each kind keep the process alive. */
function countListed(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of globalThis.process?.getActiveResourcesInfo?.() ?? []) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** Whether the list is more than a name. */
function testList(): boolean {
  const timer = startTimer(() => {}, 1000);
  const tells = countListed().size > 0;
  stopTimer(timer);
  return tells;
}
