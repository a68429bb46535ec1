// What the server keeps: values by key, some of them for a limited time.

interface Entry {
  value: Buffer;
  /** On the store's clock, in milliseconds; Infinity: for ever. */
  expires: number;
}

/** How often all that may have expired is looked through at most, in milliseconds. */
const SWEEP = 1000;

/** Keys are bytes; as strings of one character per byte they can be compared and looked up. */
export type Key = string;

export class Store {
  readonly #entries = new Map<Key, Entry>();
  readonly #now: () => number;
  /** Keys that expire, in no order: only these have to be looked through, and not too often. */
  readonly #limited = new Set<Key>();
  #nextSweep = 0;

  /** @param now - The clock that lifetimes are counted by, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    this.sweep();
    return this.#entries.size;
  }

  get(key: Key): Buffer | null {
    return this.#alive(key)?.value ?? null;
  }

  has(key: Key): boolean {
    return this.#alive(key) !== undefined;
  }

  /** @param lifetime - In milliseconds; Infinity: it stays for ever. */
  set(key: Key, value: Buffer, lifetime: number = Number.POSITIVE_INFINITY): void {
    const now = this.#now();
    this.#entries.set(key, { value, expires: now + lifetime });
    if (lifetime === Number.POSITIVE_INFINITY) {
      this.#limited.delete(key);
      return;
    }
    this.#limited.add(key);
    // What nobody asks for any more goes here: as long as nothing is added, nothing grows.
    if (now >= this.#nextSweep) this.sweep();
  }

  /** Changes the value, and leaves the lifetime. */
  replace(key: Key, value: Buffer): void {
    const entry = this.#alive(key);
    if (entry === undefined) this.set(key, value);
    else entry.value = value;
  }

  delete(key: Key): boolean {
    const was = this.has(key);
    this.#forget(key);
    return was;
  }

  clear(): void {
    this.#entries.clear();
    this.#limited.clear();
  }

  /** In milliseconds; null: there is no such key; Infinity: it stays for ever. */
  lifetime(key: Key): number | null {
    const entry = this.#alive(key);
    return entry === undefined ? null : entry.expires - this.#now();
  }

  /** Sets how long a key stays; says whether there is one. */
  expire(key: Key, lifetime: number): boolean {
    const entry = this.#alive(key);
    if (entry === undefined) return false;
    this.set(key, entry.value, lifetime);
    return true;
  }

  keys(): Key[] {
    this.sweep();
    return [...this.#entries.keys()];
  }

  /** Lets go of what has expired. */
  sweep(): void {
    this.#nextSweep = this.#now() + SWEEP;
    for (const key of this.#limited) this.#alive(key);
  }

  #alive(key: Key): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expires > this.#now()) return entry;
    this.#forget(key);
    return undefined;
  }

  #forget(key: Key): void {
    this.#entries.delete(key);
    this.#limited.delete(key);
  }
}
