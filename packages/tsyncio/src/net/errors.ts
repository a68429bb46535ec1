/** What went wrong on the network, told in one error. */

/** One thing that was tried: an error of Node's. */
type NodeError = Error & { readonly code?: string; readonly syscall?: string };

/**
 * Nothing could be connected, or listened to.
 *
 * The message says what was tried and how each attempt failed; `errors` has Node's errors, with `address` and `port` each, and `code`
 * and `syscall` are those of the first.
 */
export class NetworkError extends AggregateError {
  override name = "NetworkError";
  /** As Node has it: `ECONNREFUSED`, `ENOTFOUND`, `EADDRINUSE`, `CERT_HAS_EXPIRED`, … */
  readonly code: string;
  /** As Node has it: `connect`, `getaddrinfo`, `listen`, …; undefined where no call of the system failed. */
  readonly syscall: string | undefined;

  constructor(what: string, errors: readonly unknown[]) {
    const first = errors[0] as NodeError;
    super(errors, `Cannot ${what}: ${errors.map((each) => (each as Error).message).join("; ")}`, { cause: first });
    this.code = first.code ?? "NETWORK";
    this.syscall = first.syscall;
  }
}
