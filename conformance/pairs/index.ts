/** All hand-written pairs. */

import type { Pair } from "../pair.ts";
import { cancelling } from "./cancel.ts";
import { composing } from "./compose.ts";
import { futuresAndCallbacks } from "./futures.ts";
import { groups } from "./groups.ts";
import { primitives } from "./sync.ts";

export const pairs: readonly Pair[] = [...cancelling, ...composing, ...groups, ...futuresAndCallbacks, ...primitives];
