import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { bundle } from "./bundle.ts";
import { ROOT } from "./sources.ts";

const LIMIT = 12 * 1024;
const USUAL = `import { run, sleep, gather, taskGroup, Lock } from "tsyncio"; export { run, sleep, gather, taskGroup, Lock };`;

const sizeOf = (code: string): number => gzipSync(code, { level: 9 }).length;

test("a bundle of run, sleep, gather, taskGroup and Lock, takes less than 12 KiB, when minified and zipped", async () => {
  const size = sizeOf(await bundle(USUAL));

  console.info(`run, sleep, gather, taskGroup, Lock: ${size} bytes zipped`);
  expect(size).toBeLessThan(LIMIT);
});

test("a bundle for browsers, takes the web host and nothing of Node", async () => {
  const { metafile, outputFiles } = await build({
    stdin: { contents: `export * from "tsyncio";`, resolveDir: ROOT },
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "esm",
  });

  const inputs = Object.keys(metafile.inputs);
  expect(inputs.filter((path) => path.includes("/hosts/"))).toEqual([expect.stringMatching(/hosts\/web\.js$/)]);
  expect(outputFiles[0]?.text).not.toMatch(/["'`]node:|\bprocess\.|\brequire\(/);
});

test("a bundle of Queue alone, is smaller than the usual one", async () => {
  const queue = sizeOf(await bundle(`import { Queue } from "tsyncio"; console.log(Queue);`));

  expect(queue).toBeLessThan(sizeOf(await bundle(USUAL)));
});

test("a bundle that imports nothing by name, holds next to nothing", async () => {
  const code = await bundle(`import "tsyncio"; import { run } from "tsyncio"; console.log("hello");`);

  expect(code.length).toBeLessThan(100);
});

test("a bundle of one error class, leaves the loop out", async () => {
  const code = await bundle(`import { QueueFull } from "tsyncio"; console.log(QueueFull);`);

  expect(sizeOf(code)).toBeLessThan(1536);
});

test("a bundle, has priorities with createTask, and not with the usual imports", async () => {
  const words = "finite number, higher ones first";

  expect(await bundle(`import { createTask } from "tsyncio"; console.log(createTask);`)).toContain(words);
  expect(await bundle(USUAL)).not.toContain(words);
});
