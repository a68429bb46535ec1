// One HTTP request, bounded in size and cancelled by its signal.
//
// It follows no redirect and retries nothing: each address is one request, so that the audit can
// count, limit and report it. A status of any kind is an answer; only what prevents an answer is a
// RequestFailure.

import { createHash } from "node:crypto";

export interface Answer {
  status: number;
  headers: Headers;
  /** The body, cut off after `maxSize` bytes; empty unless the status is 2xx. */
  body: Uint8Array;
  /** Whether there was more than `maxSize` bytes. */
  truncated: boolean;
  /** Bytes of the body: those read or, if it was cut off, those announced, when they were. */
  size: number;
  /** SHA-256 of what was read. */
  hash: string;
  /** Milliseconds from the start of the request to the last byte. */
  duration: number;
}

export type FailureReason = "timed-out" | "dropped" | "refused" | "dns" | "tls" | "bad-response" | "unreachable";

export interface Failure {
  reason: FailureReason;
  detail: string;
}

/** There was no answer, or not a whole one. */
export class RequestFailure extends Error implements Failure {
  override readonly name = "RequestFailure";
  readonly reason: FailureReason;
  readonly detail: string;

  constructor(url: string, failure: Failure, cause: unknown) {
    super(`Cannot fetch ${url}: ${failure.detail}`, { cause });
    this.reason = failure.reason;
    this.detail = failure.detail;
  }
}

export interface FetchPageOptions {
  method: "GET" | "HEAD";
  maxSize: number;
  signal: AbortSignal;
}

/**
 * Requests `url` once.
 *
 * @throws {RequestFailure} when no whole answer came.
 * @throws the reason of `signal`, when that was aborted.
 */
export async function fetchPage(url: string, options: FetchPageOptions): Promise<Answer> {
  const { method, maxSize, signal } = options;
  const started = performance.now();
  try {
    const response = await fetch(url, {
      method,
      signal,
      redirect: "manual",
      headers: { accept: "*/*", "user-agent": "tsyncio-site-audit" },
    });
    const body = await readBody(response, maxSize);
    return {
      status: response.status,
      headers: response.headers,
      ...body,
      duration: performance.now() - started,
    };
  } catch (error) {
    // An aborted fetch is no fault of the site.
    if (signal.aborted) throw signal.reason;
    throw new RequestFailure(url, explain(error), error);
  }
}

async function readBody(response: Response, maxSize: number) {
  const hash = createHash("sha256");
  const chunks: Uint8Array[] = [];
  let size = 0;
  let truncated = false;
  if (!response.ok) {
    // Nobody reads what an error or a redirect says: let go of the connection.
    await response.body?.cancel();
  } else if (response.body !== null) {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      const wanted = chunk.subarray(0, maxSize - size);
      chunks.push(wanted);
      hash.update(wanted);
      size += wanted.length;
      if (wanted.length < chunk.length) {
        truncated = true;
        break; // leaving the loop cancels the stream: an endless page ends here
      }
    }
  }
  const announced = Number(response.headers.get("content-length") ?? 0);
  return {
    body: Buffer.concat(chunks),
    truncated,
    size: truncated ? Math.max(size, announced) : size,
    hash: hash.digest("hex"),
  };
}

// The codes of Node's sockets, resolver, TLS, zlib and HTTP parser, as they appear below fetch's one
// TypeError("fetch failed").
const REASONS: readonly (readonly [RegExp, FailureReason, string])[] = [
  [/^ECONNREFUSED$/, "refused", "connection refused"],
  [/^(ENOTFOUND|EAI_)/, "dns", "host name not found"],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)/, "dropped", "connection dropped"],
  [/^(HPE_|UND_ERR_HEADERS_OVERFLOW)/, "bad-response", "the answer is not valid HTTP"],
  [/^(Z_|ERR__?ZLIB|ERR_BROTLI|ERR_.*BROTLI)/, "bad-response", "the body is not in the encoding it announces"],
  [/(CERT|TLS|SSL)/, "tls", "no trusted TLS connection"],
  [/TIMEOUT|ETIMEDOUT/, "timed-out", "no answer in time"],
];

function explain(error: unknown): Failure {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const code = String((cause as NodeJS.ErrnoException).code ?? "");
    const known = REASONS.find(([pattern]) => pattern.test(code));
    if (known) return { reason: known[1], detail: `${known[2]} (${code})` };
  }
  const deepest = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return {
    reason: "unreachable",
    detail: deepest instanceof Error ? deepest.message : String(deepest),
  };
}
