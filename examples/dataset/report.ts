// From the totals to what people read, and programs.

import type { Dataset } from "./dataset.ts";
import type { Totals } from "./totals.ts";

export interface Report extends Totals {
  folder: string;
  /** Why the totals are not those of the whole folder; null when they are. */
  stoppedBy: Dataset["stoppedBy"];
  /** Files that were met. In a partial report there may be more. */
  found: number;
  milliseconds: number;
  /** How often a manifest was asked for, how many were looked for on the disk, and in how many batches. */
  lookups: ReturnType<Dataset["lookups"]>;
  /** With --check: whether the plain sequential program comes to the same totals; null where that was not asked for. */
  confirmed: boolean | null;
}

export function makeReport(dataset: Dataset, folder: string, milliseconds: number): Report {
  const { stoppedBy, found } = dataset;
  const rounded = Math.round(milliseconds);
  return {
    ...dataset.tally.totals(),
    folder,
    stoppedBy,
    found,
    milliseconds: rounded,
    lookups: dataset.lookups(),
    confirmed: null,
  };
}

export function formatReport(report: Report): string {
  const { scripts, manifests, licences, wanted, largest, lookups, problems } = report;
  const sum = (of: "files" | "bytes" | "lines"): number => scripts[of] + manifests[of];
  const lines = [
    report.folder,
    row("files", `${number(sum("files"))} (${number(scripts.files)} scripts, ${number(manifests.files)} manifests)`),
    row("size", `${megabytes(sum("bytes"))}, ${number(sum("lines"))} lines`),
    row("packages", `${number(report.packages)}, ${number(report.distinctPackages)} different ones`),
    row("licences", list(licences, 6)),
    row("wanted", list(wanted, 6)),
    row("largest", largest === null ? "none" : `${clean(largest.name)} in ${clean(largest.path)}, ${megabytes(largest.bytes)}`),
    row("malformed", `${number(report.malformed)} of the manifests are no JSON object`),
    row("unreadable", problems.length === 0 ? "none" : `${number(problems.length)}`),
    ...problems.slice(0, 5).map(({ path, code }) => row("", `${code} ${clean(path)}`)),
    row("lookups", `${number(lookups.asked)}, of ${number(lookups.read)} manifests in ${number(lookups.calls)} batches`),
    row("time", `${(report.milliseconds / 1000).toFixed(2)} s`),
  ];
  if (report.stoppedBy !== null)
    lines.push(`PARTIAL: ${REASONS[report.stoppedBy]}; ${number(report.found)} files had been found`);
  if (report.confirmed !== null) {
    lines.push(
      report.confirmed ? "A plain sequential program comes to the same." : "A plain sequential program comes to OTHER totals.",
    );
  }
  return lines.join("\n");
}

const REASONS = { deadline: "the deadline has passed", interrupt: "interrupted", error: "ended by an error" };

function row(label: string, text: string): string {
  return `  ${label.padEnd(11)} ${text}`;
}

/** The first ones of a ranking. */
function list(counts: Record<string, number>, length: number): string {
  const ranked = Object.entries(counts);
  const more = ranked.length - length;
  const shown = ranked.slice(0, length).map(([name, count]) => `${clean(name)} ${number(count)}`);
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(" · ") || "none";
}

function number(value: number): string {
  return value.toLocaleString("en-GB");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** Names come from files: nothing in them shall move the cursor. */
function clean(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, "?");
}
