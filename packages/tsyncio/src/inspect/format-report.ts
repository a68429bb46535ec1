/** What the default exception handler tells, as text, for hosts that have no console to show objects in. */

import { describeError, show } from "../base/errors.ts";
import type { ExceptionContext } from "../kernel/loop.ts";

/** The message, a line for each detail that is known, and the error's stack. */
export function formatReport(message: string, context: Partial<ExceptionContext> = {}): string {
  const { message: _, exception, ...details } = context;
  const known = Object.entries(details).filter(([, value]) => value !== undefined);
  const lines = known.map(([key, value]) => `${key}: ${value instanceof Object ? String(value) : show(value)}`);
  if (exception !== undefined) lines.push(describeError(exception));
  return [message, ...lines].join("\n");
}
