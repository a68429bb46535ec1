/** Bytes in the order in which they came, as the pieces in which they came: nothing is copied that need not be. */

import { Buffer } from "node:buffer";

/** Pieces up to this size are put together, so that a peer that sends single bytes does not cost a Buffer for each. */
const SMALL = 512;
const ROOM = 8192;
const NOTHING: Buffer = Buffer.alloc(0);

export class ByteQueue {
  // INVARIANT  no piece is empty; those before `#head` are gone, and the one there has lost its first `#offset` bytes.
  // PERF  one piece that came whole and is taken whole, as most are, stands by itself: without a list, and without a view of it.
  #only: Buffer | null = null;
  #pieces: Buffer[] = [];
  #head = 0;
  #offset = 0;
  #length = 0;
  /** Where small pieces are put together; the last piece ends where its free room begins. */
  #room: Buffer = NOTHING;
  #used = 0;
  #open = false;

  get length(): number {
    return this.#length;
  }

  /** Adds bytes at the end; those of large pieces must not be changed any more. */
  push(piece: Buffer): void {
    const before = this.#length;
    this.#length = before + piece.length;
    if (before === 0) {
      this.#only = piece;
      return;
    }
    if (this.#only !== null) this.#makeList();
    if (piece.length > SMALL) {
      this.#pieces.push(piece);
      this.#open = false;
      return;
    }
    if (!this.#open || this.#used + piece.length > this.#room.length) {
      this.#room = Buffer.allocUnsafeSlow(ROOM);
      this.#used = 0;
      this.#pieces.push(NOTHING);
      this.#open = true;
    }
    piece.copy(this.#room, this.#used);
    this.#used += piece.length;
    const last = this.#pieces.length - 1;
    this.#pieces[last] = this.#room.subarray(this.#used - (this.#pieces[last] as Buffer).length - piece.length, this.#used);
  }

  /** Takes out the first `count` bytes, or all if there are no more. */
  take(count: number): Buffer {
    if (count >= this.#length) return this.#takeAll();
    if (count === 0) return NOTHING;
    if (this.#only !== null) this.#makeList();
    const first = this.#pieces[this.#head] as Buffer;
    const end = this.#offset + count;
    if (end < first.length) {
      this.#offset = end;
      this.#length -= count;
      return first.subarray(end - count, end);
    }
    const parts: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const piece = this.#pieces[this.#head] as Buffer;
      const part = piece.subarray(this.#offset, this.#offset + missing);
      parts.push(part);
      missing -= part.length;
      this.#offset += part.length;
      if (this.#offset === piece.length) this.#drop();
    }
    this.#length -= count;
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, count);
  }

  /** The position of some bytes at or after `from`; -1 if they are not there. */
  indexOf(wanted: Buffer, from = 0): number {
    if (this.#only !== null) return this.#only.indexOf(wanted, from);
    // Most searches go on where the last one ended, which is near the end.
    let index = this.#pieces.length;
    let start = this.#length;
    while (index > this.#head && start > from) {
      index--;
      start -= this.#sizeOf(index);
    }
    for (; index < this.#pieces.length; start += this.#sizeOf(index), index++) {
      const at = this.#findIn(index, wanted, Math.max(0, from - start));
      if (at >= 0) return start + at;
    }
    return -1;
  }

  /** Where the bytes begin in a piece, at or after a position; they may end in a later one. */
  #findIn(index: number, wanted: Buffer, from: number): number {
    const skipped = index === this.#head ? this.#offset : 0;
    const piece = this.#pieces[index] as Buffer;
    const at = piece.indexOf(wanted, skipped + from);
    if (at >= 0) return at - skipped;
    const last = Math.max(skipped + from, piece.length - wanted.length + 1);
    for (let begin = last; begin < piece.length; begin++) if (this.#matches(index, begin, wanted)) return begin - skipped;
    return -1;
  }

  /** Whether the bytes stand at a place of a piece, and go on in those behind it. */
  #matches(index: number, begin: number, wanted: Buffer): boolean {
    let piece = this.#pieces[index];
    let place = begin;
    for (let next = index, i = 0; i < wanted.length; i++, place++) {
      while (piece !== undefined && place === piece.length) {
        piece = this.#pieces[++next];
        place = 0;
      }
      if (piece === undefined || piece[place] !== wanted[i]) return false;
    }
    return true;
  }

  #sizeOf(index: number): number {
    return (this.#pieces[index] as Buffer).length - (index === this.#head ? this.#offset : 0);
  }

  /** A second piece comes, or a part is taken: from here on there is a list. */
  #makeList(): void {
    this.#pieces.push(this.#only as Buffer);
    this.#only = null;
  }

  #takeAll(): Buffer {
    const only = this.#only;
    if (only !== null) {
      this.#only = null;
      this.#length = 0;
      return only;
    }
    const count = this.#pieces.length - this.#head;
    if (count === 0) return NOTHING;
    const first = (this.#pieces[this.#head] as Buffer).subarray(this.#offset);
    const all = count === 1 ? first : Buffer.concat([first, ...this.#pieces.slice(this.#head + 1)], this.#length);
    this.#pieces = [];
    this.#head = this.#offset = this.#length = 0;
    this.#open = false;
    return all;
  }

  #drop(): void {
    this.#offset = 0;
    this.#head++;
    if (this.#head === this.#pieces.length) {
      this.#pieces = [];
      this.#head = 0;
      this.#open = false;
    } else if (this.#head >= 64 && this.#head * 2 >= this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#head);
      this.#head = 0;
    }
  }
}
