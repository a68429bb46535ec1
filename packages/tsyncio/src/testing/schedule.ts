/** A run as a short text: everything needed to have it again, in another process and on another version of Node. */

export interface Injection {
  /** Before this step. */
  readonly step: number;
  /** The task, by its place in the order of birth, from 0. */
  readonly task: number;
}

export interface Schedule {
  /** What the virtual host's chance and the scenario's own choices come from. */
  readonly seed: number;
  /** The decisions that differ from first come, first served: their number and which entry went. */
  readonly deviations: ReadonlyMap<number, number>;
  /** The cancellations that were injected. */
  readonly injections: readonly Injection[];
  /** A number for each stretch of decisions, which changes when the program does. */
  readonly fingerprint: readonly number[];
}

/** How many decisions a number of the fingerprint covers. */
export const STRETCH = 16;

const PAIRS = "\\d+:\\d+(?:,\\d+:\\d+)*";
const FORM = new RegExp(`^ts1\\.([0-9a-z]+)!(${PAIRS})?(?:\\^(${PAIRS}))?~([0-9a-z]+(?:,[0-9a-z]+)*)?$`);

/** `ts1.SEED!DECISION:CHOICE,…^STEP:TASK,…~FINGERPRINT` */
export function formatSchedule({ seed, deviations, injections, fingerprint }: Schedule): string {
  const cancels = injections.map(({ step, task }) => `${step}:${task}`).join(",");
  const choices = [...deviations].map(([decision, choice]) => `${decision}:${choice}`).join(",");
  const tail = fingerprint.map((each) => each.toString(36)).join(",");
  return `ts1.${seed.toString(36)}!${choices}${cancels === "" ? "" : `^${cancels}`}~${tail}`;
}

/** @throws {RangeError} when the text is not a schedule. */
export function parseSchedule(text: string): Schedule {
  const parts = FORM.exec(text.trim());
  if (parts === null) {
    throw new RangeError(
      `Expected a schedule such as "ts1.1!4:1~k3f", got ${JSON.stringify(text)}; copy the whole replay string of a failure`,
    );
  }
  const [, seed, choices, cancels, tail] = parts;
  return {
    seed: Number.parseInt(seed as string, 36),
    deviations: new Map(pairs(choices)),
    injections: pairs(cancels).map(([step, task]) => ({ step, task })),
    fingerprint: list(tail).map((each) => Number.parseInt(each, 36)),
  };
}

function pairs(text: string | undefined): [number, number][] {
  return list(text).map((each) => each.split(":").map(Number) as [number, number]);
}

function list(text: string | undefined): string[] {
  return text === undefined || text === "" ? [] : text.split(",");
}
