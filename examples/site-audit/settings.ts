// What an audit may do and where it draws its lines. Times are milliseconds, sizes are bytes.

export interface AuditSettings {
  /** Requests in flight at the same time. */
  concurrency: number;
  /** Longest time for one request, from its start to the last byte of its answer. */
  timeout: number;
  /** Further attempts after a failure that may pass: no answer, a lost connection, 408, 429, 5xx. */
  retries: number;
  /** Longest time for the whole run. */
  deadline: number;
  /** A page that takes longer is reported as slow. */
  slow: number;
  /** No more than this is read of any answer; what is larger is reported as oversized. */
  maxSize: number;
  /** Links are followed from this many pages; further pages are checked, but not read for links. */
  maxPages: number;
  /** Whether links that leave the site are requested (HEAD). Otherwise they are only counted. */
  external: boolean;
}

export const DEFAULTS: AuditSettings = {
  concurrency: 16,
  timeout: 10_000,
  retries: 2,
  deadline: 600_000,
  slow: 1_000,
  maxSize: 2 * 1024 * 1024,
  maxPages: 10_000,
  external: false,
};

/** The demo answers from memory, so it can afford to be impatient. */
export const DEMO_DEFAULTS: AuditSettings = { ...DEFAULTS, timeout: 2_500, slow: 800 };
