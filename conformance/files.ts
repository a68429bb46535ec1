/** The files of this folder as texts: some are run by Python, some become part of printed programs. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { resolve } = createRequire(import.meta.url);

export function textOf(name: string): string {
  return readFileSync(resolve(`#source/${name}`), "utf8");
}
