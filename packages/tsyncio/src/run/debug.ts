/** Debug mode for platforms whose host does not bring its tools. */

import { debugTools } from "../inspect/debug-tools.ts";
import { current } from "../kernel/current.ts";

/**
 * Gives browsers debug mode's reports and `task.getStack()`; in Node, Bun and Deno they are always there. A page that does not
 * call it does not load them.
 *
 * **Suspends** never.
 */
export function installDebugTools(): void {
  current.debugTools = debugTools;
}
