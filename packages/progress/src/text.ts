/** Text as a terminal shows it: how wide it is, how to cut it, and what has no place in a line. */

import { stripVTControlCharacters } from "node:util";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** What moves the cursor, and ends of lines. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}]/gu;
const INVISIBLE = /^[\p{Mark}\p{Default_Ignorable_Code_Point}\p{Surrogate}]+$/u;
const PICTURE = /\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|[#*0-9]\ufe0f?\u20e3/u;
/** East Asian scripts and forms that take two columns. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Script=Tangut}\u3000-\u303e\u30fb-\u30ff\uff01-\uff60\uffe0-\uffe6]/u;

function widthOfGrapheme(grapheme: string): number {
  if (grapheme.length === 1 && grapheme < "\u0300") return 1;
  if (INVISIBLE.test(grapheme)) return 0;
  return PICTURE.test(grapheme) || WIDE.test(grapheme) ? 2 : 1;
}

/** How many columns a text without control characters takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOfGrapheme(segment);
  return width;
}

/** The text on one line, without anything that would move the cursor or change colours. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROLS, " ");
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
