/** What programs are like: each seed has one of these profiles. */

export interface Profile {
  readonly name: string;
  /** How deep blocks nest, and how many statements they have at most. */
  readonly depth: number;
  readonly block: number;
  readonly main: number;
  /** How many bodies at least, and how many more at most. */
  readonly bodies: readonly [least: number, more: number];
  /** How many tasks a body may start, those that these start included. */
  readonly tasks: number;
  readonly delays: readonly number[];
  readonly limits: readonly (number | null)[];
  /** When everybody has been cancelled at last. */
  readonly horizon: number;
  /** How likely it is that everybody meets at objects of one family. */
  readonly crowd: number;
  /** How likely it is that a statement's error does not end its body. */
  readonly safe: number;
  /** How likely it is that what is waited for is an operation such as `event.wait()`, where it may be. */
  readonly operations: number;
}

const MIXED: Profile = {
  name: "mixed",
  depth: 3,
  block: 8,
  main: 16,
  bodies: [2, 5],
  tasks: 20,
  delays: [0, 0, 1, 1, 2, 2, 3, 5, -1],
  limits: [0, 1, 1, 2, 2, 3, 3, 5, -1, null],
  horizon: 14,
  crowd: 0.25,
  safe: 0.6,
  operations: 0.2,
};

const LONG = { delays: [0, 0.5, 3, 3.5, 12, 20], limits: [0, 3, 3.5, 10, 20, 40, null], horizon: 80 };

export const PROFILES: readonly Profile[] = [
  MIXED,
  { ...MIXED, name: "crowd", crowd: 1, safe: 0.8 },
  { ...MIXED, name: "deep", depth: 6, block: 4, bodies: [2, 2], safe: 0.75 },
  { ...MIXED, name: "busy", bodies: [6, 7], main: 28, tasks: 50, delays: [0, 1, 1, 2], crowd: 0.5, safe: 0.9 },
  { ...MIXED, name: "ties", delays: [1], limits: [1, 1, 1, 2, 0, null], crowd: 0.4, operations: 0.4 },
  { ...MIXED, name: "patient", ...LONG, crowd: 0.5, safe: 0.9 },
  { ...MIXED, name: "operations", operations: 0.8, crowd: 0.4, safe: 0.8 },
];
