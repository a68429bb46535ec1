// The command: reads the folder under run(), reports. See options.ts for the usage.

import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { showProgress } from "@tsyncio/progress";
import { type Coroutine, currentTask, KeyboardInterrupt, run } from "tsyncio";
import { UsageError } from "../shared/command-line.ts";
import { Dataset } from "./dataset.ts";
import { diskFiles, FileProblem } from "./files.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { formatReport, makeReport, type Report } from "./report.ts";
import { readSequentially } from "./sequential.ts";

/** @returns the exit status. */
function* main(folder: string, options: Options): Coroutine<number> {
  const task = currentTask();
  if (task !== null) task.name = basename(folder); // as the progress shows it
  const dataset = new Dataset(diskFiles, folder, options);
  const started = performance.now();
  const progress = options.quiet ? undefined : showProgress({ clear: true });
  let report: Report | undefined;
  try {
    yield* dataset.run();
  } finally {
    // Here by the deadline and by Ctrl-C as well: what is known by now is reported, before a cancellation goes on.
    progress?.stop();
    report = makeReport(dataset, folder, performance.now() - started);
    if (options.check && report.stoppedBy === null) report.confirmed = isConfirmed(dataset, folder);
    console.log(options.json ? JSON.stringify(report, null, 2) : formatReport(report));
  }
  return report.stoppedBy === null && report.confirmed !== false ? 0 : 1;
}

function isConfirmed(dataset: Dataset, folder: string): boolean {
  return isDeepStrictEqual(readSequentially(folder), dataset.tally.totals());
}

function folderOf({ folder }: Options): string {
  const path = folder === undefined ? packagesOfRepository() : resolve(folder);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new UsageError(`Expected a folder, got "${folder ?? path}": there is none of that name`);
  }
  return path;
}

/** The node_modules beside the lock file: the program may lie anywhere below that. */
function packagesOfRepository(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package-lock.json")) && folder !== dirname(folder)) folder = dirname(folder);
  return join(folder, "node_modules");
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(USAGE);
  else process.exitCode = await run(main(folderOf(options), options));
} catch (error) {
  if (error instanceof KeyboardInterrupt) process.exitCode = 130;
  else if (error instanceof FileProblem) {
    console.error(error.message);
    process.exitCode = 1;
  } else if (error instanceof UsageError) {
    console.error(`${error.message}\nThe usage: node examples/dist/dataset/main.js --help`);
    process.exitCode = 2;
  } else throw error;
}
