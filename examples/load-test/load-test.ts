// The load tester: so many connections, each sends one request after the other, for some time. In the manner of wrk.

import { Agent, request as httpRequest } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";
import { type Coroutine, getRunningLoop, isCancelled, moveOnAfter, sleep, taskGroup, timeout } from "tsyncio";
import { fromPromise } from "tsyncio/interop";
import { Latencies } from "./latencies.ts";

export interface LoadSettings {
  readonly url: URL;
  /** Requests at a time, each on a connection of its own. */
  readonly connections: number;
  /** In milliseconds. */
  readonly duration: number;
  /** The longest time for one request, in milliseconds. */
  readonly timeout: number;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface LoadResult {
  /** Milliseconds that it really took. */
  elapsed: number;
  requests: number;
  bytes: number;
  readonly latencies: Latencies;
  /** How many answers had a status, by status. */
  readonly statuses: Map<number, number>;
  /** How many requests had no answer, by reason. */
  readonly errors: Map<string, number>;
}

/** Who had no answer tries again after so long: a server that is gone is not to be asked a million times. */
const PAUSE = 10;

/** @param progress - Told of each answer. */
export function* loadTest(settings: LoadSettings, progress: (result: LoadResult) => void = () => {}): Coroutine<LoadResult> {
  const loop = getRunningLoop();
  const result: LoadResult = {
    elapsed: 0,
    requests: 0,
    bytes: 0,
    latencies: new Latencies(),
    statuses: new Map(),
    errors: new Map(),
  };
  const connections = { keepAlive: true, maxSockets: settings.connections };
  const agent = settings.url.protocol === "https:" ? new TlsAgent(connections) : new Agent(connections);
  const start = loop.time();
  try {
    yield* moveOnAfter(settings.duration, () =>
      taskGroup((group) => {
        for (let i = 1; i <= settings.connections; i++) group.createTask(visit, { name: `connection ${i}` });
      }),
    );
  } finally {
    result.elapsed = loop.time() - start;
    agent.destroy();
  }
  return result;

  function* visit(): Coroutine<void> {
    for (;;) {
      const begun = loop.time();
      try {
        const { status, bytes } = yield* timeout(settings.timeout, () => fromPromise((signal) => ask(settings, agent, signal)));
        result.latencies.record(loop.time() - begun);
        result.requests++;
        result.bytes += bytes;
        count(result.statuses, status);
        progress(result);
      } catch (error) {
        if (isCancelled(error)) throw error;
        count(result.errors, reasonOf(error));
        yield* sleep(PAUSE);
      }
    }
  }
}

interface Answer {
  readonly status: number;
  readonly bytes: number;
}

/** One request by Node's client; aborted, it closes its connection. */
function ask({ url, method, headers, body }: LoadSettings, agent: Agent, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(url, { agent, method, headers, signal }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, bytes }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  return name === "TimeoutError" ? "timeout" : (code ?? message ?? String(error));
}
