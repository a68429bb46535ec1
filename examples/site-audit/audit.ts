// The crawl: a fixed number of workers over one queue of addresses.
//
// Everything that bounds it is one word of tsyncio: the workers of a task group bound how much runs
// at once, `timeout` bounds a request, `moveOnAfter` bounds the run. None of these knows of the
// others. Ctrl-C needs no code at all: it cancels the main task, that cancels the workers, and they
// abort their requests.

import {
  type Coroutine,
  createTask,
  currentTask,
  isCancelled,
  moveOnAfter,
  Queue,
  sleep,
  type TaskGroup,
  TimeoutError,
  taskGroup,
  timeout,
} from "tsyncio";
import { type Answer, fetchPage, RequestFailure } from "./fetch-page.ts";
import { mayPass, type Outcome, pauseBefore, troubleOf } from "./retry-policy.ts";
import type { AuditSettings } from "./settings.ts";
import { type Resource, SiteMap } from "./site-map.ts";
import { takeIn } from "./take-in.ts";

export class Audit {
  readonly site: SiteMap;
  readonly settings: AuditSettings;
  readonly startedAt: Date = new Date();
  /** Why the map is not complete; null once it is. */
  stoppedBy: "deadline" | "interrupt" | "error" | null = "error";

  // What the progress line shows.
  requests = 0;
  checked = 0;
  troubles = 0;
  readonly active = new Set<Resource>();

  readonly #queue = new Queue<Resource>();
  readonly #queued = new Set<Resource>();
  readonly #started = performance.now();

  constructor(start: string, settings: AuditSettings) {
    this.site = new SiteMap(start, settings.maxPages);
    this.settings = settings;
  }

  /** Milliseconds since the start. */
  elapsed(): number {
    return performance.now() - this.#started;
  }

  /** Addresses that no worker has taken up yet. */
  waiting(): number {
    return this.#queue.qsize();
  }

  /**
   * Fills the map of the site.
   *
   * However this ends (all done, the deadline, a cancellation), the map is sound; `stoppedBy` tells
   * whether it is whole.
   */
  *run(): Coroutine<void> {
    try {
      const { timedOut } = yield* moveOnAfter(this.settings.deadline, () => this.#crawl());
      this.stoppedBy = timedOut ? "deadline" : null;
    } catch (error) {
      if (isCancelled(error)) this.stoppedBy = "interrupt";
      throw error;
    }
  }

  *#crawl(): Coroutine<void> {
    this.#enqueue(this.site.at(this.site.start));
    yield* taskGroup((group) => this.#employ(group));
  }

  *#employ(group: TaskGroup): Coroutine<void> {
    for (let number = 1; number <= this.settings.concurrency; number++) {
      group.createTask(this.#work(), { name: `worker ${number}` });
    }
    yield* this.#queue.join(); // all that was put has been done, and the last of it brought nothing new
    group.cancel(); // so the workers wait for what will not come
  }

  *#work(): Coroutine<never> {
    for (;;) {
      const resource = yield* this.#queue.get();
      this.active.add(resource);
      try {
        yield* this.#check(resource);
        this.checked++;
      } finally {
        this.active.delete(resource);
        this.#queue.taskDone();
      }
    }
  }

  #enqueue(resource: Resource): void {
    if (this.#queued.has(resource)) return;
    if (resource.external && !this.settings.external) return;
    this.#queued.add(resource);
    this.#queue.putNowait(resource);
  }

  *#check(resource: Resource): Coroutine<void> {
    const outcome = yield* this.#requestWithRetries(resource);
    if (outcome instanceof RequestFailure) {
      this.troubles++;
      resource.failure = { reason: outcome.reason, detail: outcome.detail };
      return;
    }
    if (outcome.status >= 400) this.troubles++;
    const answer = yield* this.#confirmIfSlow(resource, outcome);
    for (const met of takeIn(this.site, resource, answer)) this.#enqueue(met);
  }

  /** Asks again, after a pause that grows, while asking again may help. */
  *#requestWithRetries(resource: Resource): Coroutine<Outcome> {
    for (;;) {
      const outcome = yield* this.#request(resource);
      resource.attempts++;
      if (!mayPass(outcome) || resource.attempts > this.settings.retries) return outcome;
      resource.firstTrouble ??= troubleOf(outcome);
      yield* sleep(pauseBefore(resource.attempts, outcome));
    }
  }

  *#request(resource: Resource): Coroutine<Outcome> {
    if (!resource.external) return yield* this.#requestOnce(resource.url, "GET");
    // The body of somebody else's page is none of our business: HEAD, unless that is refused.
    const outcome = yield* this.#requestOnce(resource.url, "HEAD");
    const refused = !(outcome instanceof RequestFailure) && [403, 405, 501].includes(outcome.status);
    return refused ? yield* this.#requestOnce(resource.url, "GET") : outcome;
  }

  *#requestOnce(url: string, method: "GET" | "HEAD"): Coroutine<Outcome> {
    const { maxSize, timeout: limit } = this.settings;
    this.requests++;
    try {
      // fetchPage is an async function, so it gets a task of its own, for the timeout to cancel. The
      // signal of that task makes it real: the connection is closed, not just forgotten.
      return yield* timeout(limit, () =>
        createTask(() => fetchPage(url, { method, maxSize, signal: signalOfTask() }), { name: `${method} ${url}` }),
      );
    } catch (error) {
      if (error instanceof RequestFailure) return error;
      if (error instanceof TimeoutError) {
        return new RequestFailure(url, { reason: "timed-out", detail: `no whole answer within ${limit} ms` }, error);
      }
      throw error; // a cancellation, which is no outcome of the request
    }
  }

  /**
   * Measures a slow page twice, and lets the better time count. A page may be slow once because of this
   * machine, or of the other requests; a slow page is slow each time.
   */
  *#confirmIfSlow(resource: Resource, answer: Answer): Coroutine<Answer> {
    if (answer.duration <= this.settings.slow || answer.status >= 400 || resource.external) return answer;
    const again = yield* this.#request(resource);
    if (again instanceof RequestFailure || again.status !== answer.status) return answer;
    return { ...answer, duration: Math.min(answer.duration, again.duration) };
  }
}

function signalOfTask(): AbortSignal {
  const task = currentTask();
  if (task === null) throw new Error("Expected to run in a task: there is none whose cancellation could end the request");
  return task.signal;
}
