/** The command line. */

import { parseArgs } from "node:util";
import { PEERS, type Peer } from "./workload.ts";

export const USAGE = `npm run bench -- [--only switch,lock] [--peers native,effect] [--node this,newest] [--rounds COUNT] [--batch MS]
                 [--python COMMAND] [--json FILE]

  --only    the workloads, in this order (all; --list shows them)
  --peers   the columns beside tsyncio (all that are installed)
  --node    this Node, the newest one from the npm registry, or both (this)
  --rounds  processes for each figure (3)
  --batch   how long a batch of operations lasts at least, in ms (100)
  --python  the Python for asyncio, uvloop and trio (python3)
  --json    writes the machine's description and all samples into this file
  --list    shows the workloads, and who takes part in them`;

export const COMPARE_USAGE = `npm run bench:compare -- REF [--only switch,lock] [--rounds COUNT] [--batch MS] [--instructions]

  REF             what the working tree is compared with: a commit, a branch, a tag
  --only          the workloads that are timed, in this order (all)
  --rounds        processes for each figure (5; with --instructions 1)
  --batch         how long a batch of operations lasts at least, in ms (100)
  --instructions  counts instructions instead of time, by perf or valgrind: slow, but steady on a busy machine`;

/** Which Nodes there can be: the one that runs this, and the newest one of the npm registry. */
export const NODES = ["this", "newest"] as const;

export interface Options {
  readonly only: readonly string[];
  readonly peers: readonly Peer[];
  readonly nodes: readonly (typeof NODES)[number][];
  readonly rounds: number;
  readonly batch: number;
  readonly python: string;
  readonly json: string | undefined;
  readonly list: boolean;
  readonly help: boolean;
}

export interface CompareOptions {
  readonly ref: string;
  readonly only: readonly string[];
  readonly rounds: number;
  readonly batch: number;
  readonly instructions: boolean;
  readonly help: boolean;
}

/** A mistake in the command line. */
export class UsageError extends Error {}

/**
 * Reads the command line of `npm run bench`.
 *
 * @param known The names that `--only` may have.
 * @throws UsageError that says what there is to choose from.
 */
export function parseOptions(args: readonly string[], known: readonly string[]): Options {
  const { values } = parse(() =>
    parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        peers: { type: "string" },
        node: { type: "string", default: "this" },
        rounds: { type: "string", default: "3" },
        batch: { type: "string", default: "100" },
        python: { type: "string", default: "python3" },
        json: { type: "string" },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  );
  const peers = choose("--peers", values.peers, PEERS);
  return {
    only: choose("--only", values.only, known),
    peers: PEERS.filter((peer) => peer === "tsyncio" || peers.includes(peer)),
    nodes: choose("--node", values.node, NODES),
    rounds: positive("--rounds", values.rounds),
    batch: positive("--batch", values.batch),
    python: values.python,
    json: values.json,
    list: values.list,
    help: values.help,
  };
}

/** Reads the command line of `npm run bench:compare`; see `parseOptions`. */
export function parseCompareOptions(args: readonly string[], known: readonly string[]): CompareOptions {
  const { values, positionals } = parse(() =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        batch: { type: "string", default: "100" },
        instructions: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }),
  );
  const [ref = "", ...rest] = positionals;
  if (!values.help && (ref === "" || ref.startsWith("-") || rest.length > 0))
    throw new UsageError(
      `Expected one git ref to compare with, got ${positionals.length === 0 ? "none" : positionals.join(" ")}`,
    );
  return {
    ref,
    only: choose("--only", values.only, known),
    rounds: positive("--rounds", values.rounds ?? (values.instructions ? "1" : "5")),
    batch: positive("--batch", values.batch),
    instructions: values.instructions,
    help: values.help,
  };
}

function parse<T>(args: () => T): T {
  try {
    return args();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The names of a list, in its order and each once; all where there is no list. */
function choose<Name extends string>(option: string, list: string | undefined, known: readonly Name[]): Name[] {
  if (list === undefined) return [...known];
  const chosen = new Set<Name>();
  for (const name of list.split(",")) {
    const found = known.find((each) => each === name.trim());
    if (found === undefined) throw new UsageError(`${option} knows no "${name.trim()}"; there are ${known.join(", ")}`);
    chosen.add(found);
  }
  return [...chosen];
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new UsageError(`${option} expects a whole number of 1 or more, got ${text}`);
  return value;
}
