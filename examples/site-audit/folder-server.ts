// Serves a folder on loopback, as a plain static host would: index.html for a folder, a redirect from
// /docs to /docs/, 404 for the rest, and nothing from outside the folder.

import { createReadStream } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { basename, extname, join, sep } from "node:path";
import { pipeline } from "node:stream";
import { type LoopbackServer, serveOnLoopback } from "./loopback-server.ts";

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".avif": "image/avif",
  ".css": "text/css; charset=utf-8",
  ".gif": "image/gif",
  ".htm": "text/html",
  ".html": "text/html",
  ".ico": "image/x-icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".md": "text/markdown; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff": "font/woff",
  ".woff2": "font/woff2",
  ".xml": "application/xml",
};

/** Without an index.html at its top, the folder gets a generated one that links every page in it. */
export async function serveFolder(folder: string): Promise<LoopbackServer> {
  const root = await realpath(folder);
  return serveOnLoopback((request, response) => {
    answer(root, new URL(request.url ?? "/", "http://loopback").pathname, response).catch((error: unknown) => {
      response.writeHead(500, { "content-type": "text/plain" }).end(String(error));
    });
  });
}

async function answer(root: string, pathname: string, response: ServerResponse): Promise<void> {
  const found = await locate(root, pathname);
  if (found === undefined) {
    if (pathname === "/") {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(await listing(root));
    } else {
      response.writeHead(404, { "content-type": "text/plain" }).end("Not found");
    }
  } else if (found === "folder") {
    response.writeHead(301, { location: `${pathname}/` }).end();
  } else {
    const { size } = await stat(found);
    const type = CONTENT_TYPES[extname(found).toLowerCase()] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-length": size });
    pipeline(createReadStream(found), response, () => {}); // a client that leaves is no error
  }
}

/** The file for a path; "folder" when only the slash at the end is missing. */
async function locate(root: string, pathname: string): Promise<string | "folder" | undefined> {
  let wanted: string;
  try {
    wanted = join(root, decodeURIComponent(pathname));
    if (pathname.endsWith("/")) wanted = join(wanted, "index.html");
    // Links inside the folder must not lead out of it, by `..` or by a symbolic link.
    const real = await realpath(wanted);
    if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    const stats = await stat(real);
    if (stats.isDirectory()) return "folder";
    return stats.isFile() ? real : undefined;
  } catch {
    return undefined; // no such file, or a path that cannot name one
  }
}

async function listing(root: string): Promise<string> {
  const files = await readdir(root, { recursive: true });
  const pages = files
    .filter((file) => /\.html?$/i.test(file))
    .map((file) =>
      file
        .split(sep)
        .map(encodeURIComponent)
        .join("/")
        .replace(/\/index\.html$/, "/"),
    )
    .sort();
  const items = pages.map((page) => `<li><a href="/${page}">${page}</a>`);
  const title = basename(root).replaceAll(/[<&]/g, "_");
  return `<!doctype html><meta charset=utf-8><title>${title}</title><ul>${items.join("\n")}</ul>`;
}
