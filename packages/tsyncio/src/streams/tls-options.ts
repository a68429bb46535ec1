/** How TLS is spoken: Node's own options, by Node's names. */

import type { ConnectionOptions, TlsOptions as NodeServerOptions } from "node:tls";
import type { Duration } from "../base/duration.ts";

type FromNode = Pick<
  ConnectionOptions,
  | "ca"
  | "cert"
  | "key"
  | "passphrase"
  | "pfx"
  | "crl"
  | "ciphers"
  | "ecdhCurve"
  | "sigalgs"
  | "minVersion"
  | "maxVersion"
  | "secureContext"
  | "session"
  | "checkServerIdentity"
  | "ALPNProtocols"
  | "rejectUnauthorized"
  | "requestCert"
> &
  Pick<NodeServerOptions, "SNICallback" | "ALPNCallback" | "ticketKeys" | "sessionTimeout" | "dhparam">;

/**
 * Node's options of `tls.connect` and `tls.createServer`, those that matter here.
 *
 * The other side's certificate is verified unless `rejectUnauthorized` is false; a server asks for one by `requestCert`.
 */
export type TlsOptions = { readonly [K in keyof FromNode]?: FromNode[K] | undefined } & {
  /** On the client: the name that is asked for, and that the certificate must be for; the host that was connected to by default. */
  readonly servername?: string | undefined;
  /** The handshake may take so long; `"60s"` by default, Infinity for no limit. */
  readonly handshakeTimeout?: Duration | undefined;
};
