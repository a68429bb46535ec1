/** Where things are, as seen from the compiled files in `dist/src`. */

import { fileURLToPath } from "node:url";

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The workspace's folder, which holds what is not compiled: Python and Go. */
export const BENCH = fromHere("../../");
export const ROOT = fromHere("../../../");
export const CACHE = fromHere("../../../node_modules/.cache/tsyncio-bench/");
/** The compiled workloads. */
export const WORKLOADS = fromHere("../workloads/");
export const CHILD = fromHere("child.js");
