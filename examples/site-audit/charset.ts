// From the bytes of a page to its text: which charset it says, and whether that is true.

export interface DecodedText {
  text: string;
  /** What is wrong with the encoding, if anything. */
  fault: string | undefined;
}

/** Decodes by the charset of the content type, else of a byte order mark, else of a `<meta>`, else UTF-8. */
export function decodePage(body: Uint8Array, contentType: string, truncated: boolean): DecodedText {
  const label = fromHeader(contentType) ?? fromMark(body) ?? fromMeta(body) ?? "utf-8";
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(label, { fatal: true });
  } catch {
    return { text: new TextDecoder().decode(body), fault: `unknown charset "${label}"` };
  }
  try {
    // The end of a cut-off page may be half a character: `stream` lets that pass.
    return { text: decoder.decode(body, { stream: truncated }), fault: undefined };
  } catch {
    return { text: new TextDecoder(label).decode(body), fault: `bytes that are not ${label}` };
  }
}

function fromHeader(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1];
}

function fromMark(body: Uint8Array): string | undefined {
  if (body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf) return "utf-8";
  if (body[0] === 0xff && body[1] === 0xfe) return "utf-16le";
  if (body[0] === 0xfe && body[1] === 0xff) return "utf-16be";
  return undefined;
}

/** HTML lets a page name its charset in ASCII within its first 1024 bytes. */
function fromMeta(body: Uint8Array): string | undefined {
  const head = Buffer.from(body.subarray(0, 1024)).toString("latin1");
  return /<meta\s[^>]*?charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
}
