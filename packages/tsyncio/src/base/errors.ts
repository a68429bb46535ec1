/**
 * Every error class of the library, each with a stable `code`.
 *
 * asyncio's own classes keep their names. Python built-ins map so: TypeError → TypeError, ValueError → RangeError,
 * RuntimeError, KeyboardInterrupt and ExceptionGroup → the classes below.
 */

/** Wrong use of the library that is not about one argument: the state found does not allow the call. */
export class RuntimeError extends Error {
  override name = "RuntimeError";
  /** A stable, machine-readable word for the kind of mistake. */
  readonly code: string;
  constructor(message: string, code = "RUNTIME", options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A Future or Task is in a state that does not allow the operation (no result yet, or already a result). */
export class InvalidStateError extends Error {
  override name = "InvalidStateError";
  readonly code = "INVALID_STATE";
}

/**
 * The cancellation of a task, thrown at the point where it waits.
 *
 * Rethrow it after cleaning up; tell it apart in a `catch` with {@link isCancelled}. Unlike other errors it takes no stack
 * trace (that costs more than the whole cancellation): `stack` is its name and message.
 */
export interface CancelledError extends Error {
  readonly code: "CANCELLED";
}

interface CancelledErrorConstructor {
  new (message?: string, options?: ErrorOptions): CancelledError;
  readonly prototype: CancelledError;
}

/** PERF  not `extends Error`: V8's Error constructor walks the stack (1.5 to 2.8 µs), the rest of a cancellation takes 1 µs. */
const LazyStackError = class CancelledError {
  message: string;
  stack: string;
  declare cause?: unknown;
  constructor(message = "", options?: ErrorOptions) {
    this.message = message;
    this.stack = message === "" ? "CancelledError" : `CancelledError: ${message}`;
    if (options !== undefined) this.cause = options.cause;
  }

  get name(): string {
    return "CancelledError";
  }

  get code(): "CANCELLED" {
    return "CANCELLED";
  }
};

Object.setPrototypeOf(LazyStackError.prototype, Error.prototype);
Object.setPrototypeOf(LazyStackError, Error);

export const CancelledError: CancelledErrorConstructor = LazyStackError as unknown as CancelledErrorConstructor;

/**
 * Tells whether a caught value is a cancellation, which must be rethrown after cleaning up.
 *
 * @example
 * ```ts
 * isCancelled(new CancelledError()); // => true
 * isCancelled(new Error("other")); // => false
 * ```
 */
export function isCancelled(error: unknown): error is CancelledError {
  return error instanceof CancelledError;
}

/** A deadline passed. `scope` is the `Timeout` that raised it, so that an inner timeout is told from an outer one. */
export class TimeoutError extends Error {
  override name = "TimeoutError";
  readonly code = "TIMEOUT";
  /** The timeout scope that expired, if one did. */
  readonly scope: unknown;
  constructor(message = "the deadline passed", options?: ErrorOptions & { scope?: unknown }) {
    super(message, options);
    this.scope = options?.scope;
  }
}

/** `getNowait()` found the queue empty. */
export class QueueEmpty extends Error {
  override name = "QueueEmpty";
  readonly code = "QUEUE_EMPTY";
}

/** `putNowait()` found the queue full. */
export class QueueFull extends Error {
  override name = "QueueFull";
  readonly code = "QUEUE_FULL";
}

/** The queue was shut down: no more puts, and no more gets once it is empty. */
export class QueueShutDown extends Error {
  override name = "QueueShutDown";
  readonly code = "QUEUE_SHUT_DOWN";
}

/** The barrier was aborted, or reset while tasks waited at it. */
export class BrokenBarrierError extends RuntimeError {
  override name = "BrokenBarrierError";
  constructor(message: string) {
    super(message, "BROKEN_BARRIER");
  }
}

/** The stream ended before the requested bytes arrived; `partial` holds what did. */
export class IncompleteReadError extends Error {
  override name = "IncompleteReadError";
  readonly code = "INCOMPLETE_READ";
  readonly partial: Uint8Array;
  readonly expected: number | undefined;
  constructor(partial: Uint8Array, expected?: number) {
    super(`Expected ${expected ?? "more"} bytes, got ${partial.length} before the end of the stream`);
    this.partial = partial;
    this.expected = expected;
  }
}

/** The separator was not found within the limit; `consumed` bytes were looked at and left in the buffer. */
export class LimitOverrunError extends Error {
  override name = "LimitOverrunError";
  readonly code = "LIMIT_OVERRUN";
  readonly consumed: number;
  constructor(message: string, consumed: number) {
    super(message);
    this.consumed = consumed;
  }
}

/** The user pressed Ctrl-C (or sent the signal named in `signal`) and the main task let its cancellation through. */
export class KeyboardInterrupt extends Error {
  override name = "KeyboardInterrupt";
  readonly code = "INTERRUPTED";
  readonly signal: string;
  constructor(signal = "SIGINT", options?: ErrorOptions) {
    super(`interrupted by ${signal}`, options);
    this.signal = signal;
  }
}

/** Nothing can ever run again, yet tasks wait. The message is the wait graph; `waiting` lists it as data. */
export class DeadlockError extends Error {
  override name = "DeadlockError";
  readonly code = "DEADLOCK";
  readonly waiting: readonly string[];
  constructor(message: string, waiting: readonly string[]) {
    super(message);
    this.waiting = waiting;
  }
}

/**
 * Several errors that happened side by side, as a TaskGroup raises them.
 *
 * The message counts its members and quotes the first line of each, so that a log line alone says what went wrong.
 */
export class ExceptionGroup extends AggregateError {
  override name = "ExceptionGroup";
  readonly code = "EXCEPTION_GROUP";
  /** The text given by the raiser, without the summary of the members. */
  readonly title: string;
  constructor(title: string, errors: Iterable<unknown>, options?: ErrorOptions) {
    const members = [...errors];
    if (members.length === 0) {
      throw new RangeError("Cannot make an ExceptionGroup of no errors");
    }
    const many = `${members.length} sub-exception${members.length === 1 ? "" : "s"}`;
    super(members, `${title} (${many})${members.map((each) => `\n  - ${oneLine(each)}`).join("")}`, options);
    this.title = title;
  }
}

/** An error's stack, or what else there is to show. Never throws, whatever was thrown, and from whichever realm. */
export function describeError(error: unknown): string {
  try {
    const { stack } = error as Error;
    if (typeof stack === "string") return stack;
  } catch {
    // A getter that throws, a revoked proxy, or nothing at all.
  }
  return show(error);
}

/** The first line of {@link describeError}: name and message. */
export function oneLine(error: unknown): string {
  return describeError(error).split("\n", 1)[0] as string;
}

/** The error for an argument that is not what was expected; `hint` says what to do. */
export function unexpected(expected: string, found: unknown, hint = ""): TypeError {
  return new TypeError(`Expected ${expected}, got ${show(found)}${hint === "" ? "" : `; ${hint}`}`);
}

/** What stands in for a falsy value that was thrown: `if (error)` could not tell it from no error. */
export function falsyError(where: string, value: unknown): RuntimeError {
  return new RuntimeError(`${where} threw ${show(value)}; throw an Error instead`, "FALSY_ERROR", { cause: value });
}

/** Shows a found value with its type in an error message. Never throws. */
export function show(value: unknown): string {
  try {
    if (typeof value === "string") return `${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)} (string)`;
    if (typeof value === "function") return `function ${value.name || "anonymous"}`;
    if (value === null || value === undefined) return String(value);
    if (typeof value !== "object") return `${String(value)} (${typeof value})`;
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const { name } = Object.getPrototypeOf(value).constructor;
    if (typeof name === "string" && name !== "Object") return `an instance of ${name}`;
  } catch {
    // A revoked proxy, say, or no prototype.
  }
  return "an object";
}
