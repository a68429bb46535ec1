// What the audit has found, as JSON for programs and as tables for people.

import type { Audit } from "./audit.ts";
import { counted } from "./counted.ts";
import type { DemoCheck } from "./demo-check.ts";
import { FINDING_KINDS, type Finding, type FindingKind, findFaults } from "./findings.ts";
import type { AuditSettings } from "./settings.ts";

export interface Report {
  start: string;
  startedAt: string;
  duration: number;
  /** Why it is partial; null when every address was checked. */
  stoppedBy: "deadline" | "interrupt" | "error" | null;
  settings: AuditSettings;
  counts: {
    pages: number;
    addresses: number;
    requests: number;
    /** Addresses known, but not (wholly) checked, because the run was cut short. */
    unchecked: number;
    /** Addresses outside the site, which were not asked for. */
    externalNotRequested: number;
    /** Pages whose links were not followed, because of --max-pages. */
    pagesNotFollowed: number;
    /** Links for mail, telephone and the like. */
    otherSchemes: number;
    findings: Record<FindingKind, number>;
  };
  findings: Finding[];
  /** Of the demo, when it was not cut short. */
  demo?: DemoCheck;
}

export function makeReport(audit: Audit): Report {
  const { site, settings } = audit;
  const findings = findFaults(site, settings);
  const resources = [...site.resources.values()];
  const unanswered = resources.filter(({ status, failure }) => status === undefined && failure === undefined);
  const skipped = unanswered.filter(({ external }) => external && !settings.external);
  return {
    start: site.start,
    startedAt: audit.startedAt.toISOString(),
    duration: Math.round(audit.elapsed()),
    stoppedBy: audit.stoppedBy,
    settings,
    counts: {
      pages: site.pages,
      addresses: resources.length,
      requests: audit.requests,
      unchecked: unanswered.length - skipped.length,
      externalNotRequested: skipped.length,
      pagesNotFollowed: Math.max(0, site.pages - site.maxPages),
      otherSchemes: site.otherSchemes,
      findings: Object.fromEntries(
        FINDING_KINDS.map((kind) => [kind, findings.filter((finding) => finding.kind === kind).length]),
      ) as Record<FindingKind, number>,
    },
    findings,
  };
}

const TITLES: Readonly<Record<FindingKind, string>> = {
  broken: "Broken links",
  "timed-out": "Timed out",
  "redirect-loop": "Redirect loops",
  malformed: "Malformed",
  flaky: "Flaky: answered after a retry",
  slow: "Slow",
  oversized: "Oversized",
  duplicate: "Duplicates",
  redirect: "Redirects",
};

/** Rows of one table; the JSON report has them all. */
const MOST_ROWS = 25;

export function formatTables(report: Report, width: number): string {
  const origin = new URL(report.start).origin;
  const short = (url: string) => (url.startsWith(`${origin}/`) ? url.slice(origin.length) : url);
  const tables = FINDING_KINDS.flatMap((kind) => {
    const findings = report.findings.filter((finding) => finding.kind === kind);
    if (findings.length === 0) return [];
    const rows = findings
      .slice(0, MOST_ROWS)
      .map(({ url, urls, detail, pages }) => [
        (urls ?? [url]).map(short).join(" = "),
        detail.replaceAll(`${origin}/`, "/"),
        holders(pages.map(short)),
      ]);
    const more = findings.length - rows.length;
    return [
      `${TITLES[kind]} (${findings.length})`,
      ...columns([["ADDRESS", "WHAT", "HELD BY"], ...rows], width),
      ...(more > 0 ? [`  … and ${more} more in the JSON report`] : []),
      "",
    ];
  });
  return tables.join("\n");
}

function holders([first, ...others]: readonly string[]): string {
  if (first === undefined) return "(start address)";
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** Aligned, and cut to the width: nobody reads a wrapped table. */
function columns(rows: readonly (readonly string[])[], width: number): string[] {
  const room = Math.max(60, width) - 6; // the indent, and two gaps
  const widest = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  const first = Math.min(widest(0), Math.floor(room * 0.4));
  const second = Math.min(widest(1), Math.floor(room * 0.35));
  const third = Math.min(widest(2), room - first - second);
  return rows.map(([address = "", what = "", held = ""]) =>
    `  ${cell(address, first)}  ${cell(what, second)}  ${cell(held, third)}`.trimEnd(),
  );
}

function cell(raw: string, width: number): string {
  // The site wrote this: it must not move the cursor.
  const text = raw.replaceAll(/\p{Cc}/gu, "?");
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}

export function formatSummary(report: Report): string {
  const { counts, stoppedBy } = report;
  const lines = [
    `Audited ${report.start}: ${counted(counts.pages, "page")}, ${counted(counts.addresses, "address", "addresses")}, ${counted(counts.requests, "request")} in ${(report.duration / 1000).toFixed(1)} s`,
  ];
  const found = FINDING_KINDS.filter((kind) => counts.findings[kind] > 0).map((kind) => `${counts.findings[kind]} ${kind}`);
  lines.push(found.length > 0 ? `Found ${found.join(", ")}` : "Found nothing wrong");
  if (counts.externalNotRequested > 0) {
    lines.push(
      `Not requested: ${counted(counts.externalNotRequested, "address", "addresses")} outside the site (--external requests them)`,
    );
  }
  if (counts.pagesNotFollowed > 0) {
    lines.push(
      `Not followed: the links of ${counted(counts.pagesNotFollowed, "page")} (--max-pages ${report.settings.maxPages})`,
    );
  }
  if (stoppedBy !== null) {
    const why = { deadline: "the deadline passed", interrupt: "interrupted", error: "an error ended it" }[stoppedBy];
    lines.push(`PARTIAL REPORT, ${why}: ${counted(counts.unchecked, "known address", "known addresses")} not checked`);
  }
  return lines.join("\n");
}

export function formatDemoCheck(check: DemoCheck): string {
  const { planted, missing, unexpected } = check;
  if (missing.length === 0 && unexpected.length === 0) return `Demo: found exactly the ${planted} planted faults`;
  return [
    `Demo: ${missing.length} of ${planted} planted faults not found, ${unexpected.length} findings not planted`,
    ...missing.map((fault) => `  not found: ${fault}`),
    ...unexpected.map((fault) => `  not planted: ${fault}`),
  ].join("\n");
}
