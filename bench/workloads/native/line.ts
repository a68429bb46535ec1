interface Place<E> {
  readonly entry: E;
  next: Place<E> | null;
}

/** Those who wait, first come, first served: a linked list. */
export class Line<E> {
  #first: Place<E> | null = null;
  #last: Place<E> | null = null;

  push(entry: E): void {
    const place = { entry, next: null };
    if (this.#last === null) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
  }

  shift(): E | undefined {
    const first = this.#first;
    if (first === null) return undefined;
    this.#first = first.next;
    if (first.next === null) this.#last = null;
    return first.entry;
  }
}
