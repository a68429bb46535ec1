/** An intrusive doubly linked list: the items are their own nodes, so that any of them leaves in O(1) without a search. */

/** What an item must carry to stand in a {@link LinkedList}; an item stands in one list at a time. */
export interface Linked<T> {
  /** @internal */
  _previous: T | null;
  /** @internal */
  _next: T | null;
}

export class LinkedList<T extends Linked<T>> {
  // PERF  assigned in the constructor: fields of a class cost five times as much, and some lists are made for each wait.
  declare first: T | null;
  declare last: T | null;
  declare length: number;

  constructor() {
    this.first = this.last = null;
    this.length = 0;
  }

  /** Adds an item that stands in no list. */
  push(item: T): void {
    item._previous = this.last;
    item._next = null;
    if (this.last === null) this.first = item;
    else this.last._next = item;
    this.last = item;
    this.length++;
  }

  /** Takes out an item that stands in this list. */
  remove(item: T): void {
    if (item._previous === null) this.first = item._next;
    else item._previous._next = item._next;
    if (item._next === null) this.last = item._previous;
    else item._next._previous = item._previous;
    item._previous = item._next = null;
    this.length--;
  }

  *[Symbol.iterator](): Generator<T, void, unknown> {
    for (let item = this.first; item !== null; ) {
      // The successor is read first, so that the visitor may remove the item.
      const next: T | null = item._next;
      yield item;
      item = next;
    }
  }
}
