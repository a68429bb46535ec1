/** How the numbers of many make the numbers of one. */

/** What something comes to. */
export interface Numbers {
  readonly done: number;
  readonly total: number | undefined;
  readonly unit: string | undefined;
  readonly fraction: number | undefined;
}

/** The numbers of child tasks: of those that have ended, and of those under way. */
export class Sum {
  /** How many there are, and how many of them have ended. */
  count = 0;
  ended = 0;
  /** The fractions of all, and of those under way. */
  fractions = 0;
  parts = 0;
  done = 0;
  /** With the parts of units under way. */
  effective = 0;
  total: number | undefined = 0;
  unit: string | undefined = undefined;
  /** They do not count the same thing. */
  mixed = false;

  static of(other: Sum | null): Sum {
    return Object.assign(new Sum(), other);
  }

  add(numbers: Numbers, ended: boolean): void {
    if (this.count === 0) this.unit = numbers.unit;
    else if (this.unit !== numbers.unit) this.mixed = true;
    this.count++;
    const { fraction = ended ? 1 : 0 } = numbers;
    this.fractions += fraction;
    if (ended) this.ended++;
    else this.parts += fraction;
    this.done += numbers.done;
    this.effective += effectiveOf(numbers);
    this.total = plus(this.total, numbers.total);
  }
}

function effectiveOf({ done, total, fraction }: Numbers): number {
  if (total === undefined || fraction === undefined || fraction === fractionOf(done, total)) return done;
  return Math.max(done, fraction * total);
}

/** A sum that is unknown if a part of it is. */
export function plus(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

/** How much of the total is done, 0 to 1; of nothing, all is done. */
export function fractionOf(done: number, total: number | undefined): number | undefined {
  if (total === undefined) return undefined;
  return done >= total ? 1 : done / total;
}
