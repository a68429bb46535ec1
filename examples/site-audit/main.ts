// The command: opens the site, audits it under run(), reports. See options.ts for the usage.

import { stat, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { showProgress } from "@tsyncio/progress";
import { type Coroutine, createTask, currentTask, ensureFuture, KeyboardInterrupt, run, type Task } from "tsyncio";
import { UsageError } from "../shared/command-line.ts";
import { Audit } from "./audit.ts";
import { checkDemo } from "./demo-check.ts";
import { openDemoSite, type PlantedFault } from "./demo-site.ts";
import { isBrokenLink } from "./findings.ts";
import { serveFolder } from "./folder-server.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import { followProgress } from "./progress.ts";
import { formatDemoCheck, formatSummary, formatTables, makeReport, type Report } from "./report.ts";

interface OpenSite {
  start: string;
  /** Of the demo: what is to be found. */
  planted?: PlantedFault[];
  close(): Promise<void>;
}

/** @returns the exit status. */
function* main(options: Options): Coroutine<number> {
  const site = yield* ensureFuture(openSite(options));
  try {
    return yield* auditAndReport(site, options);
  } finally {
    yield* ensureFuture(site.close());
  }
}

function* auditAndReport(site: OpenSite, options: Options): Coroutine<number> {
  const audit = new Audit(site.start, options);
  const bars = options.quiet ? undefined : showProgress({ clear: true });
  const progress = bars && createTask(followProgress(audit, currentTask() as Task<unknown>), { name: "progress" });
  let report: Report | undefined;
  try {
    yield* audit.run();
  } finally {
    // Here by Ctrl-C as well: what is known by now is reported before the cancellation goes on.
    if (progress) yield* progress.cancelAndWait();
    bars?.stop();
    report = makeReport(audit);
    if (site.planted && report.stoppedBy === null) report.demo = checkDemo(site.planted, report.findings);
    yield* ensureFuture(publish(report, options));
  }
  return exitStatus(report);
}

async function publish(report: Report, { json, quiet }: Options): Promise<void> {
  if (!quiet) console.log(formatTables(report, process.stdout.columns ?? 160));
  console.log(formatSummary(report));
  if (report.demo) console.log(formatDemoCheck(report.demo));
  // Last, so that a file that cannot be written costs nothing else.
  await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`The whole report: ${json}`);
}

function exitStatus(report: Report): number {
  if (report.demo) return report.demo.missing.length + report.demo.unexpected.length === 0 ? 0 : 1;
  return report.stoppedBy === null && !report.findings.some(isBrokenLink) ? 0 : 1;
}

async function openSite(options: Options): Promise<OpenSite> {
  const { target } = options;
  if (target === undefined) {
    const demo = await openDemoSite(options);
    console.error(`No site named: auditing the demo, ${demo.pageCount} pages at ${demo.start}`);
    return demo;
  }
  if (/^https?:\/\//i.test(target)) {
    if (!URL.canParse(target)) throw new UsageError(`Expected a URL, got "${target}", which is malformed`);
    return { start: target, close: async () => {} };
  }
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) {
    throw new UsageError(`Expected a URL or a folder, got "${target}": there is no such folder; a URL begins with https://`);
  }
  // A file is the start page in its folder.
  const server = await serveFolder(found.isDirectory() ? target : dirname(target));
  const page = found.isDirectory() ? "" : encodeURIComponent(basename(target));
  return { start: `${server.origin}/${page}`, close: server.close };
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(USAGE);
  else process.exitCode = await run(main(options));
} catch (error) {
  if (error instanceof KeyboardInterrupt) process.exitCode = 130;
  else if (error instanceof UsageError) {
    console.error(`${error.message}\nThe usage: npm start -- --help`);
    process.exitCode = 2;
  } else throw error;
}
