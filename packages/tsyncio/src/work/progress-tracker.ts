/** Keeps account of the progress of all tasks: the tree of those that have something to tell, and who listens. */

import { LinkedList } from "../base/linked-list.ts";
import { current, runningLoop, runningTask } from "../kernel/current.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Countable, Progress, ProgressPlace, ProgressTools } from "../kernel/progress.ts";
import { Task } from "../kernel/task.ts";
import { newGatherIn } from "./progress-gather.ts";
import { Members } from "./progress-members.ts";
import { ProgressNode } from "./progress-node.ts";

type AnyTask = Task<unknown>;

/** Who is told when there may be something to see. */
export interface Listening {
  /** Something has changed, in a task of this loop. `byEnd`: a task has ended. */
  touched(loop: EventLoop, byEnd?: boolean): void;
  /** A task with progress has ended. `root`: it counted for nobody. */
  ended(node: ProgressNode, root: boolean): void;
}

/** The nodes of one loop. */
interface Book {
  readonly loop: EventLoop;
  /** Those whose parents nobody has asked for. */
  readonly fresh: LinkedList<ProgressNode>;
  readonly tree: LinkedList<ProgressNode>;
  /** By the `id` of the task, those that others count for. */
  readonly makers: Map<number, ProgressNode>;
  /** The turn in which it was looked last for tasks that await a gather. */
  turn: number;
}

class Place implements ProgressPlace {
  /** Null when the task has ended. */
  node: ProgressNode | null;

  constructor(node: ProgressNode) {
    this.node = node;
  }

  get over(): boolean {
    return this.node === null;
  }

  open(count: Countable): void {
    this.node?.open(count);
    this.changed();
  }

  changed(): void {
    if (this.node !== null) tracker.changed(this.node.task);
  }
}

class Tracker implements ProgressTools {
  readonly listeners: Set<Listening> = new Set<Listening>();
  readonly #books = new Map<EventLoop, Book>();
  #last: Book | null = null;

  opened(count: Countable, task: AnyTask | null = runningTask()): void {
    if (task === null) return;
    const node = this.nodeOf(task);
    node?.open(count);
    if (node !== null) this.changed(task);
  }

  tasks(): Set<AnyTask> {
    const place = this.here();
    return place === null ? new Set() : new Members(place);
  }

  here(): ProgressPlace | null {
    const task = runningTask();
    const node = task === null ? null : this.nodeOf(task);
    if (node === null) return null;
    node.place ??= new Place(node);
    return node.place;
  }

  /** The node of a task; null when the task has ended without one. */
  nodeOf(task: AnyTask): ProgressNode | null {
    const self = task._self();
    const known = self._rare?.progress as ProgressNode | undefined;
    if (self.done()) return null;
    if (known !== undefined) return known;
    const node = new ProgressNode(self);
    self._rarely().progress = node;
    this.#bookOf(self._loop).fresh.push(node);
    return node;
  }

  changed(task: AnyTask): void {
    // PERF  called for each item of a loop.
    if (this.listeners.size > 0) this.#tell(task._loop);
  }

  #tell(loop: EventLoop, byEnd = false): void {
    for (const each of this.listeners) each.touched(loop, byEnd);
  }

  finished(task: AnyTask): void {
    // PERF  each task of the program gets here.
    if (this.listeners.size > 0) this.#tell(task._loop, true);
    const node = task._rare?.progress as ProgressNode | undefined;
    if (node !== undefined) this.#end(node);
  }

  #end(node: ProgressNode): void {
    const { task, children } = node;
    const book = this.#bookOf(task._loop);
    this.#resolve(node, book);
    const parent = node.parent as ProgressNode | null;
    const numbers = node.end();
    if (parent !== null) {
      parent.children?.delete(node);
      if (numbers !== undefined) parent.addEnded(numbers);
    }
    for (const child of children ?? []) attach(child, parent);
    book.tree.remove(node);
    book.makers.delete(task.id);
    // One that is kept must not keep its ancestors; nor what has asked for its place, the task.
    node.parent = null;
    if (node.place !== null) node.place.node = null;
    for (const each of this.listeners) each.ended(node, parent === null);
  }

  /** The node of a task, if there is one, after a look at it and all below it. */
  lookAtNodeOf(task: AnyTask): ProgressNode[] {
    const self = task._self();
    // What is below may make it part of the tree.
    if (!self.done()) this.#resolveAll(this.#bookOf(self._loop));
    const node = self._rare?.progress as ProgressNode | undefined;
    if (node === undefined) return [];
    lookAt([node]);
    return [node];
  }

  /** Those that count for nobody, after a look at all, in order of their beginning. */
  roots(): ProgressNode[] {
    const roots: ProgressNode[] = [];
    const running = runningLoop();
    if (running !== null) this.#bookOf(running);
    for (const book of this.#books.values()) {
      if (book.loop.isClosed()) this.#books.delete(book.loop);
      this.#resolveAll(book);
      for (const node of book.tree) if (node.parent === null) roots.push(node);
    }
    lookAt(roots);
    return roots.sort((a, b) => a.startedAt - b.startedAt || a.task.id - b.task.id);
  }

  #bookOf(loop: EventLoop): Book {
    if (this.#last?.loop === loop) return this.#last;
    let book = this.#books.get(loop);
    if (book === undefined) {
      for (const each of this.#books.keys()) if (each.isClosed()) this.#books.delete(each);
      book = { loop, fresh: new LinkedList(), tree: new LinkedList(), makers: new Map(), turn: -1 };
      this.#books.set(loop, book);
    }
    this.#last = book;
    return book;
  }

  /** Finds all that has something to tell. */
  #resolveAll(book: Book): void {
    const { loop } = book;
    if (book.turn !== loop._turnNumber) {
      book.turn = loop._turnNumber;
      for (let task = loop._tasks.first; task !== null; task = task._next) {
        const gather = newGatherIn(task._waiter);
        if (gather !== null) this.nodeOf(task)?.open(gather);
      }
    }
    for (let node = book.fresh.first; node !== null; node = book.fresh.first) this.#resolve(node, book);
  }

  /** Finds out for whom a task counts, and for whom that one does, and so on. */
  #resolve(node: ProgressNode, book: Book): void {
    // A list, not a recursion: tasks that make tasks may be nested deeper than the stack.
    const chain: ProgressNode[] = [];
    let maker: ProgressNode | null = node;
    while (maker !== null && maker.parent === undefined) {
      chain.push(maker);
      maker = this.#makerOf(maker.task, book);
    }
    for (let each = chain.pop(); each !== undefined; each = chain.pop()) {
      book.fresh.remove(each);
      book.tree.push(each);
      attach(each, maker === null ? null : ownerOf(each.task, maker));
      maker = each;
    }
  }

  /** The node of the task that has made another; null when that has ended. */
  #makerOf(task: AnyTask, book: Book): ProgressNode | null {
    const id = task.parentId;
    if (id === 0) return null;
    const known = book.makers.get(id);
    if (known !== undefined) return known;
    // PERF  once for each maker, from the youngest on that was there before: who makes short-lived tasks is known, or young.
    const { last } = book.loop._tasks;
    for (let each = task.done() ? last : task._previous; each !== null; each = each._previous) {
      if (each.id !== id) continue;
      const node = this.nodeOf(each) as ProgressNode;
      book.makers.set(id, node);
      return node;
    }
    return null;
  }
}

/** How far above its maker a task's group is looked for. */
const FAR = 32;

/** The one that a task counts for: whose group has made it, or else its maker. */
function ownerOf(task: AnyTask, maker: ProgressNode): ProgressNode {
  // A member of the group, or a child of one, may have called `group.createTask`.
  let each: ProgressNode | null | undefined = maker;
  for (let level = 0; each && level < FAR; level++, each = each.parent) if (each.hasMade(task)) return each;
  return maker;
}

function attach(node: ProgressNode, parent: ProgressNode | null): void {
  node.parent = parent;
  node.parentId = parent?.task.id ?? 0;
  if (parent === null) return;
  parent.children ??= new Set();
  parent.children.add(node);
  // A task has begun when something below it has.
  for (let each: ProgressNode | null | undefined = parent; each && each.startedAt > node.startedAt; each = each.parent) {
    each.startedAt = node.startedAt;
  }
}

/** Takes the pictures of nodes and of all below them: from the leaves on, without recursion. */
function lookAt(nodes: readonly ProgressNode[]): void {
  const all = [...nodes];
  for (const node of all) for (const child of node.children ?? []) all.push(child);
  for (let node = all.pop(); node !== undefined; node = all.pop()) node.look();
}

// Loading this module has an effect (`sideEffects` in package.json): the kernel finds it in its slot, and tasks have a `progress`.
export const tracker: Tracker = new Tracker();
current._progress = tracker;
Object.defineProperty(Task.prototype, "progress", {
  get(this: AnyTask): Progress | undefined {
    return tracker.lookAtNodeOf(this)[0]?.seen;
  },
});
