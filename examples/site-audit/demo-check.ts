// Did the audit of the demo site find exactly what was planted?

import type { PlantedFault } from "./demo-site.ts";
import type { Finding } from "./findings.ts";

export interface DemoCheck {
  planted: number;
  /** Planted, but not found; as readable lines. */
  missing: string[];
  /** Found, but not planted. */
  unexpected: string[];
}

/** Compares kind, address, reason and every page that holds the fault. */
export function checkDemo(planted: readonly PlantedFault[], findings: readonly Finding[]): DemoCheck {
  const expected = planted.map(describe);
  const found = findings.map(describe);
  return {
    planted: planted.length,
    missing: expected.filter((fault) => !found.includes(fault)),
    unexpected: found.filter((fault) => !expected.includes(fault)),
  };
}

function describe({ kind, reason, url, pages }: PlantedFault): string {
  return `${kind} (${reason}) ${url} on ${pages.join(" ")}`;
}
