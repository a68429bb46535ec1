/** Bundles a program with the library, from dist, as a page's own build would. */

import { build } from "esbuild";
import { ROOT } from "./sources.ts";

export async function bundle(program: string, options: { readonly minify?: boolean } = {}): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    write: false,
    platform: "browser",
    format: "esm",
    target: "es2022",
    minify: options.minify ?? true,
    logLevel: "silent",
  });
  return outputFiles[0]?.text ?? "";
}
