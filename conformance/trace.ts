/** Runs a program on tsyncio under virtual time and writes down what an observer sees: one line `turn time label` an event. */

import { CancelledError, DeadlockError, EventLoop, ExceptionGroup, eagerTaskFactory, type Job, Runner } from "tsyncio";
import { VirtualHost } from "tsyncio/testing";

export type Trace = readonly string[];

/** What a program is given to be observed by. */
export interface Tools {
  readonly log: (label: string) => void;
  readonly loop: EventLoop;
}

/** The programs' own error. */
export class Boom extends Error {
  override name = "Boom";
}

/** An error in words that both sides use: messages of the programs themselves are part of it, messages of the libraries are not. */
export function showError(error: unknown): string {
  if (error instanceof CancelledError) return error.message === "" ? "CE" : `CE:${error.message}`;
  if (error instanceof ExceptionGroup) return `EG[${error.errors.map(showError).join(",")}]`;
  if (error instanceof Boom) return error.message === "" ? "Boom" : `Boom:${error.message}`;
  if (error instanceof RangeError) return "ValueError";
  if (error instanceof Error) return error.name;
  return `?${String(error)}`;
}

/** A value in words that both sides use. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return "none";
  if (value instanceof Error) return showError(value);
  if (Array.isArray(value)) return `[${value.map(show).join(",")}]`;
  // What acquire() gives to be released; Python's gives True.
  if (typeof value === "object" && "release" in value) return "true";
  return String(value);
}

const MAX_TURNS = 20_000;

/** Reports that come when garbage is collected, at no certain time. */
const UNTIMELY = /never retrieved|destroyed but/;

/** Runs what `make` makes, a program's main function, to its end; `eager` says whether tasks are by default. */
export async function traceOf(make: (tools: Tools) => Job<unknown>, eager = false): Promise<Trace> {
  const loop = new EventLoop({ host: new VirtualHost(), debug: false });
  if (eager) loop.setTaskFactory(eagerTaskFactory);
  const trace: string[] = [];
  let open = true;
  const log = (label: string): void => {
    if (!open) return;
    const turn = (loop as unknown as { _turnNumber: number })._turnNumber;
    if (turn > MAX_TURNS) throw new Error("too many turns");
    trace.push(`${turn} ${loop.time()} ${label}`);
  };
  loop.setExceptionHandler((_, { message, exception }) => {
    if (UNTIMELY.test(message)) return;
    let kind = message;
    if (message.startsWith("Exception in callback")) kind = "callback";
    else if (message.includes("shielded")) kind = "shield";
    log(`HANDLER ${kind} ${exception === undefined ? "" : showError(exception)}`);
  });
  const runner = new Runner({ loop, signals: [] });
  try {
    log(`END ${show(await runner.run(make({ log, loop })))}`);
  } catch (error) {
    if (error instanceof DeadlockError) trace.push("- - DEADLOCK");
    else log(`END!${showError(error)}`);
  }
  open = false;
  try {
    await runner.close();
  } catch {
    // What a deadlock leaves behind may refuse to end; the loop is closed over it.
  }
  return trace;
}
