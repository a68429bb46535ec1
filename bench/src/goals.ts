/** What the library must reach: ratios of medians in one run. Reaching them is told, not enforced, since a busy machine is slow. */

import { NANOSECONDS, type Row } from "./rows.ts";
import { formatNumber, markdownTable } from "./table.ts";
import type { Peer } from "./workload.ts";

/** A limit on Node before 24, and from 24 on, whose V8 has other prices; null where none is set. */
type Limits = readonly [older: number | null, newer: number | null];

/** tsyncio's median in a row, as it is, or divided by that of a peer, or of another row, is at most this. */
interface Goal {
  readonly row: string;
  readonly peer?: Peer;
  readonly other?: string;
  readonly limits: Limits;
}

/** A goal and what was measured. */
export interface Verdict {
  readonly goal: string;
  readonly measured: number;
  readonly limit: number;
  readonly reached: boolean;
}

const NEWER = 24;

const limits = (older: number | null, newer = older): Limits => [older, newer];
const perPeer = (rows: readonly string[], peer: Peer, older: number | null, newer = older): Goal[] =>
  rows.map((row) => ({ row, peer, limits: limits(older, newer) }));

export const GOALS: readonly Goal[] = [
  ...perPeer(["switch"], "native", 1.0, 1.2),
  ...perPeer(["deep10", "deep100"], "native", 1.1, 1.4),
  { row: "deep10", other: "deep100", limits: limits(1.1) },
  { row: "deep100", other: "deep10", limits: limits(1.1) },
  ...perPeer(["call"], "native", 0.8),
  ...perPeer(["spawn_join", "spawn_yield_join"], "native", 1.2, 1.1),
  ...perPeer(["pingpong"], "native", 0.5, 0.3),
  ...perPeer(["lock"], "native", 0.25),
  ...perPeer(["lock"], "async-mutex", 0.07),
  ...perPeer(["limit"], "p-limit", 0.3, 0.4),
  ...perPeer(["limit"], "native", 0.7),
  ...perPeer(["queue"], "native", 0.4),
  ...perPeer(["timers", "timeout"], "native", 0.25),
  ...perPeer(["cancel"], "native", 0.15, 0.3),
  ...perPeer(["cancel"], "effect", 0.5),
  ...perPeer(["spawn_join", "spawn_yield_join", "pingpong", "lock", "limit", "timers", "timeout", "cancel"], "go", 1.0),
  ...perPeer(["queue"], "go", 1.8),
  { row: "sleepers 1M memory", limits: limits(500, 540) },
  { row: "sleepers 1M CPU", limits: limits(2.5) },
  ...perPeer(["switch", "spawn_join", "pingpong", "lock", "limit"], "asyncio", 1 / 16),
  ...perPeer(["cancel"], "asyncio", 1 / 6),
  ...perPeer(["sleepers 1M memory"], "asyncio", 1 / 3),
  { row: "startup over bare", limits: limits(10) },
  // On Node before 24 AsyncLocalStorage makes promises dear, and async functions in tsyncio use one: its cost is told apart.
  ...perPeer(["async_spawn_join", "async_lock", "async_sleep"], "native", null, 1.5),
  ...perPeer(["async_spawn_join", "async_lock", "async_sleep"], "native-als", 1.5, null),
];

/** No workload may be slower than in these. */
const NEVER_SLOWER_THAN: readonly Peer[] = ["effect", "effection"];

/**
 * The goals that can be told from what was measured on one Node.
 *
 * @param major The major version of that Node.
 */
export function judge(rows: readonly Row[], major: string): Verdict[] {
  const timed = rows.filter(({ unit }) => unit === NANOSECONDS || unit.startsWith("µs of CPU")).map(({ name }) => name);
  const goals = [...GOALS, ...NEVER_SLOWER_THAN.flatMap((peer) => perPeer(timed, peer, 1.0))];
  // Columns of Node have its version in their ids, others have not.
  const medianOf = (name: string, peer: Peer) => {
    const figures = rows.find((row) => row.name === name)?.figures;
    return (figures?.get(`${peer}-${major}`) ?? figures?.get(peer))?.median;
  };
  return goals.flatMap(({ row, peer, other, limits: [older, newer] }) => {
    const limit = Number(major) < NEWER ? older : newer;
    const own = medianOf(row, "tsyncio");
    const base = peer !== undefined || other !== undefined ? medianOf(other ?? row, peer ?? "tsyncio") : 1;
    if (limit === null || own === undefined || base === undefined) return [];
    const measured = own / base;
    const divisor = peer ?? other;
    const goal = divisor === undefined ? row : `${row} ÷ ${divisor}`;
    return [{ goal, measured, limit, reached: measured <= limit }];
  });
}

/** The verdicts as a table, with how many are reached. */
export function goalTable(verdicts: readonly Verdict[]): string {
  const lines = verdicts.map(({ goal, measured, limit, reached }) => [
    goal,
    formatNumber(measured),
    formatNumber(limit),
    reached ? "yes" : "NO",
  ]);
  const reached = verdicts.filter((verdict) => verdict.reached).length;
  const count = `${reached} of the ${verdicts.length} goals that could be judged are reached.`;
  return `### Goals\n\n${markdownTable(["tsyncio's median", "measured", "at most", "reached"], lines)}\n\n${count}`;
}
