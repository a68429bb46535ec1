// Goes through a folder and finds what is to be read: an async generator, so it goes only as far as somebody asks.

import { join } from "node:path";
import { FileProblem, type Files, systemCode } from "./files.ts";

export interface Found {
  readonly kind: "manifest" | "script";
  readonly path: string;
  readonly folder: string;
}

/**
 * Finds the manifests (package.json) and scripts of a folder and of those in it. Names that begin with a dot are left out: caches.
 *
 * @param onProblem - Told of folders that cannot be read; the walk goes on without them.
 * @throws {FileProblem} when the folder itself cannot be read.
 */
export async function* walk(files: Files, root: string, onProblem: (problem: FileProblem) => void): AsyncGenerator<Found> {
  // A list of what is still to be visited, rather than a generator in a generator: each of those would cost at every step.
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let entries: Awaited<ReturnType<Files["list"]>> = [];
    try {
      entries = await files.list(folder);
    } catch (error) {
      const code = systemCode(error);
      if (code === undefined) throw error;
      const problem = new FileProblem(folder, code, error);
      if (folder === root) throw problem;
      onProblem(problem);
    }
    for (const { name, isFile, isFolder } of entries) {
      if (name.startsWith(".")) continue;
      const path = join(folder, name);
      if (isFolder) folders.push(path);
      else if (isFile && name === "package.json") yield { kind: "manifest", path, folder };
      else if (isFile && /\.[cm]?js$/.test(name)) yield { kind: "script", path, folder };
    }
  }
}
