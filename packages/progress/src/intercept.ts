/** Taking what a program writes to a stream, line by line, before it gets there. */

import { StringDecoder } from "node:string_decoder";

type Write = NodeJS.WriteStream["write"];
type Callback = (error?: Error | null) => void;

/** Stands in front of a stream's `write` until it is released. */
export class Interceptor {
  readonly #stream: NodeJS.WriteStream;
  readonly #original: Write;
  readonly #own: boolean;
  readonly #hook: Write;
  readonly #onText: (lines: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #active = true;
  /** What came after the last end of a line. */
  #rest = "";

  /** @param onText - Gets whole lines, which it has to hand to `write`; it is also called, with nothing, when an unfinished line has changed. */
  constructor(stream: NodeJS.WriteStream, onText: (lines: string) => void) {
    this.#stream = stream;
    this.#original = stream.write;
    this.#own = Object.hasOwn(stream, "write");
    this.#onText = onText;
    this.#hook = ((chunk: string | Uint8Array, encoding?: BufferEncoding | Callback, callback?: Callback) =>
      this.#take(chunk, encoding, callback)) as Write;
    stream.write = this.#hook;
  }

  /** A line that has not been ended yet. */
  get rest(): string {
    return this.#rest;
  }

  /** Writes to the stream itself. */
  write(text: string): void {
    this.#original.call(this.#stream, text);
  }

  /** Goes out of the way, and writes what is left. */
  release(): void {
    if (!this.#active) return;
    this.#active = false;
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    if (rest !== "") this.write(rest);
    // Somebody else may stand before us by now, and call us: then all goes through.
    if (this.#stream.write !== this.#hook) return;
    if (this.#own) this.#stream.write = this.#original;
    else delete (this.#stream as Partial<NodeJS.WriteStream>).write;
  }

  #take(chunk: string | Uint8Array, encoding: BufferEncoding | Callback | undefined, callback: Callback | undefined): boolean {
    const wellFormed = typeof chunk === "string" || chunk instanceof Uint8Array;
    // What is wrong is the stream's to refuse.
    if (!this.#active || !wellFormed) return this.#original.call(this.#stream, chunk, encoding as BufferEncoding, callback);
    const done = typeof encoding === "function" ? encoding : callback;
    const text = typeof chunk === "string" && isText(encoding) ? chunk : this.#decode(chunk, encoding as BufferEncoding);
    const end = text.lastIndexOf("\n") + 1;
    const lines = end === 0 ? "" : this.#rest + text.slice(0, end);
    this.#rest = end === 0 ? this.#rest + text : text.slice(end);
    this.#onText(lines);
    if (done !== undefined) process.nextTick(done, null);
    return true;
  }

  #decode(chunk: string | Uint8Array, encoding: BufferEncoding): string {
    return this.#decoder.write(
      typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength),
    );
  }
}

function isText(encoding: unknown): boolean {
  return typeof encoding !== "string" || /^(?:utf-?8|utf-?16le|ucs-?2)$/i.test(encoding);
}
