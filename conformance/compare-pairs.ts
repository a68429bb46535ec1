/** Compares the behaviours by name. */

import { isEqual, type Way } from "./compare.ts";
import type { Oracle } from "./oracle.ts";
import { runScript } from "./pair.ts";
import { pairs } from "./pairs/index.ts";

/** The names of the pairs that differ when run in this way. */
export async function differingPairs(oracle: Oracle, { form, factory }: Way): Promise<string[]> {
  const names: string[] = [];
  for (const pair of pairs) {
    if (pair.without?.includes(form)) continue;
    const found = await runScript(pair, form, factory);
    if (!isEqual(oracle.runPair(pair.python, factory), found, form)) names.push(pair.name);
  }
  return names;
}
