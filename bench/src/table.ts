/** Markdown tables of what was measured. */

import type { Gap } from "./process.ts";
import type { Row } from "./rows.ts";

/** A column as a table shows it. */
export interface Heading {
  readonly id: string;
  readonly title: string;
}

/** A table: the first column flush left, the others right. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) => Math.max(3, ...[head, ...lines].map((line) => line[i]?.length ?? 0)));
  const row = (cells: readonly string[]) =>
    `| ${widths.map((width, i) => (i === 0 ? (cells[i] ?? "").padEnd(width) : (cells[i] ?? "").padStart(width))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [row(head), rule, ...lines.map(row)].join("\n");
}

/** Three digits, and thousands told apart: `0.912`, `39.0`, `116`, `1,341`. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 99.95 ? 0 : Math.abs(value) >= 9.995 ? 1 : Math.abs(value) >= 0.9995 ? 2 : 3;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A table for each unit: the medians, with the least values in brackets. Columns in which nothing was measured are left out. */
export function figureTables(rows: readonly Row[], headings: readonly Heading[], gaps: readonly Gap[]): string[] {
  return [...new Set(rows.map(({ unit }) => unit))].flatMap((unit) => {
    const ofUnit = rows.filter((row) => row.unit === unit);
    const present = headings.filter(({ id }) => ofUnit.some((row) => cellOf(row, id, gaps) !== ""));
    if (present.length === 0) return [];
    const lines = ofUnit.map((row) => [row.name, ...present.map(({ id }) => cellOf(row, id, gaps))]);
    const title = unit.startsWith("bytes, ") ? unit : `${unit}: median (least)`;
    return [`### ${title}\n\n${markdownTable(["", ...present.map((heading) => heading.title)], lines)}`];
  });
}

/** tsyncio's medians divided by those of the others: below 1, tsyncio takes less. */
export function ratioTable(rows: readonly Row[], [own, ...others]: readonly Heading[]): string | null {
  if (own === undefined) return null;
  const ratio = (row: Row, id: string) => {
    const [left, right] = [row.figures.get(own.id), row.figures.get(id)];
    if (left === undefined || right === undefined) return "";
    return formatNumber(left.median / right.median);
  };
  const shown = rows.filter((row) => row.isDifference !== true && others.some(({ id }) => ratio(row, id) !== ""));
  const present = others.filter(({ id }) => shown.some((row) => ratio(row, id) !== ""));
  if (present.length === 0) return null;
  const lines = shown.map((row) => [row.name, ...present.map(({ id }) => ratio(row, id))]);
  return `### ${own.title} ÷ peer\n\n${markdownTable(["", ...present.map(({ title }) => title)], lines)}`;
}

function cellOf(row: Row, id: string, gaps: readonly Gap[]): string {
  const figure = row.figures.get(id);
  if (figure !== undefined) {
    const [median, least] = [formatNumber(figure.median), formatNumber(figure.least)];
    return figure.samples.flat().length === 1 ? median : `${median} (${least})`;
  }
  return gaps.some((gap) => gap.column === id && `${row.name} `.startsWith(`${gap.row} `)) ? "failed" : "";
}
