/** `fetch` that is cancelled with its task. */

import type { Operation } from "../kernel/operation.ts";
import { anySignal } from "./abort-signal.ts";
import { fromPromise } from "./from-promise.ts";
import { checkSignal } from "./signal-watch.ts";

type Body = "arrayBuffer" | "blob" | "formData" | "json" | "text";

/** A Response whose body is read by operations. */
export interface FetchedResponse extends Omit<Response, Body>, Disposable {
  arrayBuffer(): Operation<ArrayBuffer>;
  blob(): Operation<Blob>;
  formData(): Operation<FormData>;
  json<T = unknown>(): Operation<T>;
  text(): Operation<string>;
  /** Aborts what has not been read: `using response = yield* fetchResponse(url)`. */
  [Symbol.dispose](): void;
}

/**
 * Fetches; cancelling the task aborts the request, and so does cancelling the read of the body.
 *
 * The Response is the platform's own, but for the methods that read its body: `yield* response.json()` or `await response.json()`. By
 * chunks: `fromReadable(response.body)`. A body that is not read holds its connection; `using` lets go of it.
 *
 * @param input - As of `fetch`.
 * @param init - As of `fetch`. `signal` aborts the request and the reading of the body with its own reason.
 * @throws {TypeError} when the server cannot be reached, as `fetch` does; the reason of `signal`.
 *
 * **Suspends** until the headers are there. **Cancel** aborts the request. **Source** `fetch`, with the task's own signal.
 *
 * @example
 * ```ts
 * using response = yield* fetchResponse("data:application/json,[1,2]");
 * yield* response.json(); // => [1, 2]
 * ```
 */
export function fetchResponse(input: string | URL | Request, init: RequestInit = {}): Operation<FetchedResponse> {
  const given = init.signal ?? (input as Partial<Request>).signal;
  if (given !== undefined) checkSignal(given, "fetchResponse");
  const request = new AbortController();
  const signal = anySignal([request.signal, given]);
  const abort = (): void => request.abort();
  return fromPromise(
    async (cancelled) => {
      // It lives as long as the request; the one of fromPromise() ends with this operation.
      cancelled.addEventListener("abort", abort);
      try {
        return withOperations(await fetch(input, { ...init, signal }), request);
      } finally {
        cancelled.removeEventListener("abort", abort);
      }
    },
    { release: abort },
  );
}

function withOperations(response: Response, request: AbortController): FetchedResponse {
  const abort = (): void => request.abort();
  for (const name of ["arrayBuffer", "blob", "formData", "json", "text"] as const) {
    const read = (): Operation<unknown> =>
      fromPromise<unknown>((cancelled) => {
        cancelled.addEventListener("abort", abort, { once: true });
        return Response.prototype[name].call(response);
      });
    Object.defineProperty(response, name, { value: read, configurable: true });
  }
  Object.defineProperty(response, Symbol.dispose, { value: abort, configurable: true });
  return response as unknown as FetchedResponse;
}
