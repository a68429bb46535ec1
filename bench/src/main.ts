/** The command `npm run bench`: measures every workload in every column that there is. See README.md. */

import { writeFile } from "node:fs/promises";
import { BUNDLE_NOTE, measureBundles } from "./bundle.ts";
import { type Column, findColumns, type Missing, majorOf } from "./columns.ts";
import { goalTable, judge } from "./goals.ts";
import { describeMachine, formatMachine, type Machine } from "./machine.ts";
import { type Options, parseOptions, USAGE, UsageError } from "./options.ts";
import type { Gap } from "./process.ts";
import { loadWorkloads, measureWorkload, type Row } from "./rows.ts";
import { bareId, measureStartup } from "./startup.ts";
import { figureTables, type Heading, ratioTable } from "./table.ts";
import type { Workload } from "./workload.ts";

/** What is measured beside the workloads. */
const SPECIAL: Readonly<Record<string, string>> = {
  startup: "a process imports the library, runs an empty main and ends",
  bundle: "the usual imports, for a page",
};

/** All that is known at the end. */
interface Results {
  readonly machine: Machine;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly gaps: readonly Gap[];
  readonly missing: readonly Missing[];
}

async function measure(workloads: ReadonlyMap<string, Workload>, options: Options): Promise<Results> {
  const { columns, missing } = await findColumns(options);
  const machine = await describeMachine(columns);
  const rows: Row[] = [];
  const gaps: Gap[] = [];
  for (const [i, name] of options.only.entries()) {
    const workload = workloads.get(name);
    console.error(`${i + 1}/${options.only.length} ${name}`);
    if (workload !== undefined) rows.push(...(await measureWorkload(workload, columns, options, gaps)));
    else if (name === "startup") rows.push(...(await measureStartup(columns, options.rounds, gaps)));
    else rows.push(await measureBundles(columns, gaps));
  }
  return { machine, columns, rows, gaps, missing };
}

/** A section for each Node, with the columns of other languages in each, as all were measured in the same run. */
function markdown({ machine, columns, rows, gaps, missing }: Results): string {
  const parts = [`# Benchmarks\n\n${formatMachine(machine)}`];
  const nodes = new Map(columns.filter(({ peer }) => peer === "tsyncio").map(({ runtime }) => [majorOf(runtime), runtime]));
  for (const [major, node] of nodes) {
    const shown = columns.filter(({ runtime }) => runtime.language !== "node" || majorOf(runtime) === major);
    const headings: Heading[] = shown.map(({ id, peer }) => ({ id, title: peer }));
    const bare = new Map(shown.filter(({ peer }) => peer !== "go").map(({ runtime }) => [bareId(runtime), runtime]));
    const bareHeadings = [...bare].map(([id, { language }]) => ({ id, title: `bare ${language}` }));
    parts.push(`## Node ${node.version}`, ...figureTables(rows, [...headings, ...bareHeadings], gaps));
    const ratios = ratioTable(rows, headings);
    if (ratios !== null) parts.push(ratios);
    const verdicts = judge(rows, major);
    if (verdicts.length > 0) parts.push(goalTable(verdicts));
  }
  const notes = [
    ...(rows.some(({ name }) => name === "bundle") ? [BUNDLE_NOTE] : []),
    ...missing.map(({ peer, reason }) => `${peer}: not installed: ${reason}`),
    ...gaps.map(({ row, column, reason }) => `${row}, ${column}: failed: ${reason}`),
  ];
  if (notes.length > 0) parts.push(notes.map((note) => `- ${note}`).join("\n"));
  return parts.join("\n\n");
}

function json({ machine, rows, gaps, missing }: Results, { rounds, batch }: Options): string {
  const plain = rows.map(({ figures, ...row }) => ({ ...row, figures: Object.fromEntries(figures) }));
  return `${JSON.stringify({ machine, rounds, batch, rows: plain, gaps, missing }, null, 1)}\n`;
}

function list(workloads: ReadonlyMap<string, Workload>): string {
  const lines = [...workloads.values()].map(
    ({ name, operation, peers }) => `${name}: ${operation}\n  ${Object.keys(peers).join(", ")}`,
  );
  return [...lines, ...Object.entries(SPECIAL).map((entry) => entry.join(": "))].join("\n");
}

try {
  const workloads = await loadWorkloads();
  const options = parseOptions(process.argv.slice(2), [...workloads.keys(), ...Object.keys(SPECIAL)]);
  if (options.help) console.log(USAGE);
  else if (options.list) console.log(list(workloads));
  else {
    const results = await measure(workloads, options);
    console.log(markdown(results));
    if (options.json !== undefined) await writeFile(options.json, json(results, options));
  }
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
