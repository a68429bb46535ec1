// Which failures may pass, and how long to leave the site in peace before asking again.

import { type Answer, type Failure, RequestFailure } from "./fetch-page.ts";

/** What a request comes to: an answer of any status, or the reason why there was none. */
export type Outcome = Answer | RequestFailure;

/** Lost connections, and the statuses that speak of the server's state rather than of the page. */
export function mayPass(outcome: Outcome): boolean {
  if (outcome instanceof RequestFailure) return true;
  return outcome.status >= 500 || [408, 425, 429].includes(outcome.status);
}

/** 200 ms, 400 ms, 800 ms, …, or what the server asks for; never more than half a minute. */
export function pauseBefore(retry: number, outcome: Outcome): number {
  const asked = outcome instanceof RequestFailure ? 0 : Number(outcome.headers.get("retry-after")) * 1000;
  return Math.min(30_000, Math.max(200 * 2 ** (retry - 1), asked || 0));
}

export interface Trouble {
  reason: Failure["reason"] | `${number}`;
  detail: string;
}

export function troubleOf(outcome: Outcome): Trouble {
  if (outcome instanceof RequestFailure) return { reason: outcome.reason, detail: outcome.detail };
  return { reason: `${outcome.status}`, detail: `status ${outcome.status}` };
}
