// What a page holds: its links and assets, its anchors, its title, and what its author got wrong.
//
// parse5 builds the tree that a browser would build, so a link in a comment, in a script or in a
// template is none, and a link in broken markup is found where a browser would find it.

import { type DefaultTreeAdapterTypes, type ParserErrorHandler, parse } from "parse5";
import { linksOfDeclarations, linksOfStyleSheet } from "./css-links.ts";

/** What a browser needs the answer to be; anything else is a wrong content type. */
export type Expectation = "image" | "script" | "style";

export interface Link {
  /** As it is written. */
  raw: string;
  /** The address, absolute, with its fragment; undefined when `raw` is no valid URL. */
  url: string | undefined;
  expects: Expectation | undefined;
  /** Whether it is the target of a form that POSTs. */
  post: boolean;
}

export interface PageContents {
  title: string;
  links: Link[];
  /** Every id, and every name of an anchor: what a #fragment may point to. */
  anchors: Set<string>;
  /** The address the page gives as its own, by `<link rel=canonical>`. */
  canonical: string | undefined;
  /** Parse errors of note, as "code at line n"; each code once. */
  faults: string[];
}

// Errors after which the reader sees something else than the author wrote. A page can be sloppy in
// many more ways (a stray slash, a bare ampersand) that change nothing: those are not reported.
const ERRORS_OF_NOTE = new Set<string>([
  "missing-doctype",
  "eof-before-tag-name",
  "eof-in-tag",
  "eof-in-comment",
  "eof-in-cdata",
  "eof-in-doctype",
  "eof-in-script-html-comment-like-text",
  "eof-in-element-that-can-contain-only-text",
  "duplicate-attribute",
  "missing-whitespace-between-attributes",
  "unexpected-character-in-attribute-name",
  "unexpected-character-in-unquoted-attribute-value",
  "unexpected-equals-sign-before-attribute-name",
  "unexpected-null-character",
]);

/** Attributes that hold one address each; `srcset`, `style` and `content` have a grammar of their own. */
const URL_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  a: ["href"],
  area: ["href"],
  audio: ["src"],
  button: ["formaction"],
  embed: ["src"],
  form: ["action"],
  frame: ["src"],
  iframe: ["src"],
  image: ["href"],
  img: ["src"],
  input: ["src", "formaction"],
  link: ["href"],
  object: ["data"],
  script: ["src"],
  source: ["src"],
  track: ["src"],
  use: ["href"],
  video: ["src", "poster"],
};

/** `<link>`s that announce a host or an endpoint rather than a document. */
const HINTS = /\b(preconnect|dns-prefetch|pingback)\b/i;

/**
 * Reads a page. Of one that was cut off (`whole` is false) the faults are not told: its markup ends in the
 * middle, and that is not its author's doing.
 */
export function readPage(html: string, pageUrl: string, whole = true): PageContents {
  const faults = new Map<string, string>();
  const noteFault: ParserErrorHandler = ({ code, startLine }) => {
    if (ERRORS_OF_NOTE.has(code) && !faults.has(code)) faults.set(code, `${code} at line ${startLine}`);
  };
  const document = parse(html, {
    scriptingEnabled: false, // read <noscript> as well
    onParseError: whole ? noteFault : null, // parse5 is twice as fast without
  });

  const elements = [...elementsIn(document)].map((element) => new ElementView(element));
  const base = baseOf(elements, pageUrl);
  const links: Link[] = [];
  const anchors = new Set<string>();
  let title = "";
  let canonical: string | undefined;
  for (const element of elements) {
    for (const raw of addressesIn(element)) {
      links.push({
        raw,
        url: resolve(raw, base),
        expects: expectationOf(element),
        post: element.tag === "form" && /^post$/i.test(element.get("method") ?? ""),
      });
    }
    const id = element.get("id");
    if (id) anchors.add(id);
    const name = element.tag === "a" ? element.get("name") : undefined;
    if (name) anchors.add(name);
    if (element.tag === "title") title ||= element.text().trim();
    if (element.tag === "link" && /\bcanonical\b/i.test(element.get("rel") ?? "")) {
      canonical = resolve(element.get("href") ?? "", base);
    }
  }
  return { title, links, anchors, canonical, faults: [...faults.values()] };
}

/** The links of a style sheet, as `readPage` gives those of a page. */
export function readStyleSheet(css: string, sheetUrl: string): Link[] {
  return linksOfStyleSheet(css).map((raw) => ({
    raw,
    url: resolve(raw, sheetUrl),
    expects: undefined,
    post: false,
  }));
}

function* addressesIn(element: ElementView): Generator<string> {
  for (const attribute of URL_ATTRIBUTES[element.tag] ?? []) {
    const value = element.get(attribute);
    if (value === undefined) continue;
    // An empty src asks for nothing; an empty href or action is the page itself.
    if (value.trim() === "" && attribute !== "href" && attribute !== "action") continue;
    if (element.tag === "link" && HINTS.test(element.get("rel") ?? "")) continue;
    yield value.trim();
  }
  if (element.tag === "img" || element.tag === "source") yield* candidates(element.get("srcset") ?? "");
  if (element.tag === "link") yield* candidates(element.get("imagesrcset") ?? "");
  if (element.tag === "style") yield* linksOfStyleSheet(element.text());
  const style = element.get("style");
  if (style) yield* linksOfDeclarations(style);
  if (element.tag === "meta" && /^refresh$/i.test(element.get("http-equiv") ?? "")) {
    const target = /^\s*[\d.]+\s*[;,]\s*(?:url\s*=\s*)?(["']?)(.*?)\1\s*$/i.exec(element.get("content") ?? "")?.[2];
    if (target) yield target;
  }
}

/** The addresses of a srcset. A comma ends one only at its end: a data: URL has commas inside. */
function* candidates(srcset: string): Generator<string> {
  const pattern = /[\s,]*(\S*[^\s,])(?:,|\s[^,]*(?:,|$)|$)/g;
  for (const match of srcset.matchAll(pattern)) if (match[1]) yield match[1];
}

function expectationOf(element: ElementView): Expectation | undefined {
  const rel = element.get("rel") ?? "";
  if (element.tag === "img") return "image";
  if (element.tag === "link" && /\bicon\b/i.test(rel)) return "image";
  if (element.tag === "link" && /\bstylesheet\b/i.test(rel)) return "style";
  // Any other type makes the script a block of data.
  if (element.tag === "script" && /^(|module|text\/javascript)$/i.test(element.get("type") ?? "")) return "script";
  return undefined;
}

function baseOf(elements: readonly ElementView[], pageUrl: string): string {
  const base = elements.find((element) => element.tag === "base" && element.get("href") !== undefined);
  return resolve(base?.get("href") ?? "", pageUrl) ?? pageUrl;
}

function resolve(raw: string, base: string): string | undefined {
  return URL.canParse(raw, base) ? new URL(raw, base).href : undefined;
}

/** All elements in document order. The content of a template is not part of the page, so it is left out. */
function* elementsIn(root: DefaultTreeAdapterTypes.ParentNode): Generator<DefaultTreeAdapterTypes.Element> {
  // A stack of our own: markup can be nested deeper than the call stack allows.
  const pending: DefaultTreeAdapterTypes.ChildNode[] = root.childNodes.toReversed();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (!("tagName" in node)) continue;
    yield node;
    for (const child of node.childNodes.toReversed()) pending.push(child);
  }
}

class ElementView {
  readonly tag: string;
  readonly #element: DefaultTreeAdapterTypes.Element;

  constructor(element: DefaultTreeAdapterTypes.Element) {
    this.tag = element.tagName;
    this.#element = element;
  }

  get(attribute: string): string | undefined {
    return this.#element.attrs.find(({ name }) => name === attribute)?.value;
  }

  text(): string {
    return this.#element.childNodes.map((node) => ("value" in node ? node.value : "")).join("");
  }
}
