/** The statistics of the tables. */

/** What the processes of a column came to; the samples are theirs, one list for each process. */
export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly samples: readonly (readonly number[])[];
}

/** The middle value; between the two middle ones where there is an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (at(sorted, Math.ceil(middle) - 1) + at(sorted, Math.floor(middle))) / 2;
}

/** The median of the processes' medians, so that no process counts for more than another, and the least sample of all. */
export function figureOf(samples: readonly (readonly number[])[]): Figure {
  return { median: median(samples.map(median)), least: Math.min(...samples.flat()), samples };
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError("Expected at least one sample, got none; a column without samples is a gap");
  return value;
}
