/** Certificates for tests, made by the `openssl` program. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Certificates {
  /** For localhost and 127.0.0.1. */
  readonly good: Certificate;
  /** As `good`, but its time is over. */
  readonly expired: Certificate;
  /** For example.test. */
  readonly other: Certificate;
  /** For a client. */
  readonly client: Certificate;
}

/** Makes them; null where there is no `openssl`. */
export function makeCertificates(): Certificates | null {
  const folder = mkdtempSync(join(tmpdir(), "tsyncio-tls-"));
  const [key, cert, request] = ["key.pem", "cert.pem", "request.pem"].map((each) => join(folder, each)) as [
    string,
    string,
    string,
  ];
  const make = (name: string, altName: string, from: number, until: number): Certificate => {
    const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });
    const config = join(folder, "config");
    writeFileSync(config, configOf(folder, altName));
    writeFileSync(join(folder, "index.txt"), "");
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl("req", "-new", "-config", config, ...kind, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
    const when = ["-startdate", `${from}0101000000Z`, "-enddate", `${until}0101000000Z`];
    const how = ["-batch", "-notext", "-selfsign", "-rand_serial", "-config", config, "-keyfile", key];
    openssl("ca", ...how, ...when, "-in", request, "-out", cert);
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  };
  try {
    const local = "DNS:localhost,IP:127.0.0.1";
    return {
      good: make("localhost", local, 2020, 2100),
      expired: make("localhost", local, 2020, 2021),
      other: make("example.test", "DNS:example.test", 2020, 2100),
      client: make("client", "DNS:client", 2020, 2100),
    };
  } catch {
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `openssl ca` needs to be told, as it alone can make a certificate that is over already. */
function configOf(folder: string, altName: string): string {
  const place = `new_certs_dir = ${folder}\ndatabase = ${join(folder, "index.txt")}\nserial = ${join(folder, "serial")}\n`;
  const rules = "default_md = sha256\npolicy = names\nx509_extensions = extensions\n";
  return `[ca]\ndefault_ca = it\n[it]\n${place}${rules}[names]\ncommonName = supplied\n[extensions]\nsubjectAltName = ${altName}\n[req]\ndistinguished_name = none\n[none]\n`;
}
