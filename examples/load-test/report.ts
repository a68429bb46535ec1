// The report of a load test, as text.

import { inUnits } from "./latencies.ts";
import type { LoadResult, LoadSettings } from "./load-test.ts";

export function report({ url, connections }: LoadSettings, result: LoadResult): string {
  const seconds = result.elapsed / 1000;
  const { latencies } = result;
  const odd = [...result.statuses].filter(([status]) => status >= 400);
  return [
    `${url.href}, ${connections} connections, ${seconds.toFixed(1)} s`,
    "",
    `Requests  ${result.requests}, ${Math.round(result.requests / seconds)} per second`,
    `Bytes     ${result.bytes}, ${(result.bytes / seconds / 1024 ** 2).toFixed(2)} MiB per second`,
    `Latency   ${latencies.count === 0 ? "-" : `${inUnits(latencies.mean)} on average, ± ${inUnits(latencies.deviation)}`}`,
    ...latencies.draw(),
    ...(odd.length === 0 ? [] : ["", `Refused   ${odd.map(([status, count]) => `${count} × ${status}`).join(", ")}`]),
    ...(result.errors.size === 0
      ? []
      : ["", `Failed    ${[...result.errors].map(([why, count]) => `${count} × ${why}`).join(", ")}`]),
    "",
  ].join("\n");
}
