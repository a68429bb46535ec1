/** Text as a terminal shows it: how wide it is, how to cut it, and what has no place in a line. */

import { stripVTControlCharacters } from "node:util";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** What moves the cursor, ends of lines, and what would reorder the rest of the line. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
/** Each character takes one column. */
const ASCII = /^[ -~]*$/;
/** No line is longer. PERF  to find the characters of a text takes quadratic time: half a second for 30 kB. */
const LONGEST = 2000;
const INVISIBLE = /^[\p{Mark}\p{Default_Ignorable_Code_Point}\p{Surrogate}]+$/u;
const PICTURE = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[#*0-9]\ufe0f?\u20e3/u;
/** East Asian scripts and forms that take two columns. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Script=Tangut}\u3000-\u303e\u30fb-\u30ff\u3190-\u33ff\u4dc0-\u4dff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/u;
/** Half-width forms; a voicing mark takes a column, too. */
const HALF = /^[\uff61-\uffdc]+$/;
/** The vowel sign AM of Thai and Lao stands beside what it belongs to. */
const WITH_AM = /.[\u0e33\u0eb3]$/;

function widthOfGrapheme(grapheme: string): number {
  if (grapheme.length === 1 && grapheme < "\u0300") return 1;
  if (INVISIBLE.test(grapheme)) return 0;
  if (HALF.test(grapheme)) return grapheme.length;
  if (WITH_AM.test(grapheme)) return 2;
  return PICTURE.test(grapheme) || WIDE.test(grapheme) ? 2 : 1;
}

/** How many columns a text without control characters takes. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** The text on one line, without anything that would move the cursor or change colours; of a very long one, beginning and end. */
export function plain(text: string): string {
  const some = text.length <= LONGEST ? text : `${text.slice(0, LONGEST / 2)} ${text.slice(-LONGEST / 2)}`;
  return stripVTControlCharacters(some).replace(CONTROLS, " ");
}

/** At most so many columns of the text, with a mark where something is missing. */
export function cut(text: string, width: number, mark: string): string {
  if (widthOf(text) <= width) return text;
  const room = width - widthOf(mark);
  if (room < 0) return "";
  let taken = 0;
  let result = "";
  for (const { segment } of graphemes.segment(text)) {
    taken += widthOfGrapheme(segment);
    if (taken > room) break;
    result += segment;
  }
  return result + mark;
}

/** At most so many columns of a name: its beginning and its end, which often is what tells it from others. */
export function squeeze(text: string, width: number, mark: string): string {
  const room = width - widthOf(mark);
  if (widthOf(text) <= width || room < 6) return cut(text, width, mark);
  const parts = [...graphemes.segment(text)].map(({ segment }) => segment);
  let end = "";
  for (let part = parts.pop(); part !== undefined && widthOf(part + end) <= Math.ceil((room * 2) / 3); part = parts.pop()) {
    end = part + end;
  }
  return cut(text, width - widthOf(end), mark) + end;
}

/** The text with spaces behind it, up to a width. */
export function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}
