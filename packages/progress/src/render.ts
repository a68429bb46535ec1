/** A picture of the progress of all tasks as lines of text. Nothing is written here. */

import { styleText } from "node:util";
import type { Progress } from "tsyncio";
import { formatCount, formatElapsed, formatPercent, formatRate, formatTime } from "./format.ts";
import { labelOf, rowsOf } from "./rows.ts";
import { cut, pad, squeeze, widthOf } from "./text.ts";

/** How a frame is drawn. */
export interface FrameOptions {
  /** Columns; no line is wider. 80 by default. */
  readonly width?: number | undefined;
  /** Lines, at least 1; Infinity by default. What has no place is counted in the last one. */
  readonly height?: number | undefined;
  /** Only ASCII characters. False by default. */
  readonly ascii?: boolean | undefined;
  /** Colours. False by default. */
  readonly color?: boolean | undefined;
}

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

/** What a frame is made with. */
interface Look {
  readonly paint: Paint;
  readonly ellipsis: string;
  /** Of what is done, the part of a cell that is begun, of what is to be done. */
  readonly bar: readonly [done: string, begun: string, left: string];
  readonly marks: Readonly<Record<Progress["state"], string>>;
}

const UNICODE: Omit<Look, "paint"> = {
  ellipsis: "…",
  bar: ["━", "╸", "─"],
  marks: { running: "", finished: "✔", failed: "✖", cancelled: "⊘" },
};
const ASCII: Omit<Look, "paint"> = {
  ellipsis: "~",
  bar: ["#", "-", "."],
  marks: { running: "", finished: "ok", failed: "x", cancelled: "-" },
};
const STYLES: Readonly<Record<Progress["state"], Style>> = {
  running: "cyan",
  finished: "green",
  failed: "red",
  cancelled: "yellow",
};

const LEAST_BAR = 8;
const MOST_BAR = 40;
/** Of the cells of a bar whose end is not known, one in so many is lit; it runs to and fro once in so many milliseconds. */
const LIT = 4;
const TO_AND_FRO = 2400;

function lookOf({ ascii = false, color = false }: FrameOptions): Look {
  // Whoever calls knows whether colours are wanted.
  const paint: Paint = color ? (style, text) => (text === "" ? "" : styleText(style, text, UNCHECKED)) : (_, text) => text;
  return { ...(ascii ? ASCII : UNICODE), paint };
}

const UNCHECKED = { validateStream: false } as const;

/** What a line consists of, behind the label. */
interface Cells {
  readonly percent: string;
  readonly count: string;
  readonly rate: string;
  readonly time: string;
}

interface Columns {
  readonly label: number;
  readonly bar: number;
  readonly percent: number;
  readonly count: number;
  readonly rate: number;
  readonly time: number;
}

/**
 * Draws the trees of tasks, as `allProgress()` gives them, as lines of text: name, message, bar, percent, numbers, rate, time to go.
 *
 * What does not fit into the width is left out, from the right; a task that says just what its only child says is left out, too.
 *
 * @param trees - Pictures of progress, with their children.
 * @param options - `width`, `height`, `ascii`, `color`.
 * @returns as many lines as there are rows, at most `height`; none is wider than `width`.
 *
 * @example
 * ```ts
 * renderFrame(allProgress(), { width: 60 }).join("\n");
 * ```
 */
export function renderFrame(trees: readonly Progress[], options: FrameOptions = {}): string[] {
  const { width = 80, height = Number.POSITIVE_INFINITY } = options;
  const look = lookOf(options);
  const { rows, left } = rowsOf(trees, Math.max(1, height));
  const lines = rows.map(({ progress, depth }) => ({
    progress,
    label: labelOf(progress),
    indent: "  ".repeat(depth),
    cells: cellsOf(progress),
  }));
  const labels = lines.map(
    ({ indent, label }) => indent.length + widthOf(label.name) + (label.message === "" ? 0 : 1 + widthOf(label.message)),
  );
  const columns = fit(
    width,
    Math.max(0, ...labels),
    lines.map((each) => each.cells),
  );
  const result = lines.map(({ progress, label, indent, cells }) => {
    const { paint } = look;
    const name = cut(indent, columns.label, "") + squeeze(label.name, columns.label - indent.length, look.ellipsis);
    const room = columns.label - widthOf(name) - 1;
    const message = label.message === "" || room < 2 ? "" : cut(label.message, room, look.ellipsis);
    const padding = " ".repeat(Math.max(0, columns.label - widthOf(name) - (message === "" ? 0 : 1 + widthOf(message))));
    const parts = [`${name}${message === "" ? "" : ` ${paint("dim", message)}`}${padding}`];
    if (columns.bar > 0) parts.push(barOf(progress, columns.bar, look));
    if (columns.percent > 0) parts.push(cells.percent.padStart(columns.percent));
    if (columns.count > 0) parts.push(pad(cells.count, columns.count));
    if (columns.rate > 0) parts.push(paint("dim", cells.rate.padStart(columns.rate)));
    if (columns.time > 0)
      parts.push(paint(progress.state === "running" ? "dim" : STYLES[progress.state], cells.time.padStart(columns.time)));
    return parts.join(" ").trimEnd();
  });
  if (left > 0) result.push(look.paint("dim", cut(`${look.ellipsis} and ${left} more`, width, look.ellipsis)));
  return result;

  function cellsOf(progress: Progress): Cells {
    const { state, eta, elapsed } = progress;
    const time = state === "running" ? formatTime(eta) : `${look.marks[state]} ${formatElapsed(elapsed)}`;
    return { percent: formatPercent(progress), count: formatCount(progress), rate: formatRate(progress), time };
  }
}

/** Gives each column its width: what is of least use goes first where there is not room for all. */
function fit(width: number, label: number, cells: readonly Cells[]): Columns {
  const widest = (key: keyof Cells): number => Math.max(0, ...cells.map((each) => widthOf(each[key])));
  const columns = {
    label,
    bar: 0,
    percent: widest("percent"),
    count: widest("count"),
    rate: widest("rate"),
    time: widest("time"),
  };
  // A label gets what it needs, but no more than 40% if that is to be shared.
  const used = (): number => {
    const { percent, count, rate, time } = columns;
    return [percent, count, rate, time].reduce((sum, each) => sum + (each > 0 ? each + 1 : 0), 0);
  };
  const wanted = Math.min(label, Math.max(12, Math.floor(width * 0.4)));
  for (const key of ["rate", "time", "count", "percent"] as const) {
    if (wanted + LEAST_BAR + 1 + used() <= width) break;
    columns[key] = 0;
  }
  const room = width - used();
  columns.bar = Math.min(MOST_BAR, room - 1 - Math.min(label, Math.max(wanted, room - 1 - MOST_BAR)));
  if (columns.bar < LEAST_BAR) columns.bar = 0;
  columns.label = Math.max(0, Math.min(label, columns.bar > 0 ? room - 1 - columns.bar : room));
  return columns;
}

function barOf({ fraction, state, elapsed }: Progress, width: number, { bar, paint }: Look): string {
  const [done, begun, left] = bar;
  const style = STYLES[state];
  if (fraction === undefined) {
    if (state !== "running") return paint("dim", left.repeat(width));
    const lit = Math.max(1, Math.floor(width / LIT));
    const way = width - lit;
    const phase = (elapsed % TO_AND_FRO) / TO_AND_FRO;
    const start = Math.round(way * (phase < 0.5 ? 2 * phase : 2 - 2 * phase));
    return paint("dim", left.repeat(start)) + paint(style, done.repeat(lit)) + paint("dim", left.repeat(way - start));
  }
  const halves = Math.floor(fraction * width * 2);
  const whole = Math.floor(halves / 2);
  const half = halves % 2;
  return paint(style, done.repeat(whole) + begun.repeat(half)) + paint("dim", left.repeat(width - whole - half));
}

/** One line about one task, for logs: `download 62% 3.1/5 MB 1.2 MB/s eta 0:02`, or how it ended. */
export function renderLine(progress: Progress): string {
  const { state, eta, elapsed } = progress;
  const { name, message } = labelOf(progress);
  const time = formatTime(eta);
  const parts = [
    message === "" ? name : `${name}: ${message}`,
    formatPercent(progress),
    formatCount(progress),
    formatRate(progress),
  ];
  if (state !== "running") parts.push(`${state} in ${formatElapsed(elapsed)}`);
  else if (time !== "" && eta !== 0) parts.push(`eta ${time}`);
  return parts.filter((each) => each !== "").join("  ");
}
