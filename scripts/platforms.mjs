// Runs scripts/platforms/program.mjs on this Node, the newest Node, Bun and Deno, and compares what they print.
//
//   npm run test:platforms                 all of them
//   npm run test:platforms -- bun deno     only these
//
// The runtimes come from the npm registry into a temporary folder, which is removed at the end. One that cannot be installed is
// named and does not count as a failure; one that prints something else does.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const program = join(root, "scripts/platforms/program.mjs");
const library = new URL("../packages/tsyncio/dist/node/index.js", import.meta.url).href;

/** How each is had and started; without a package, it is the Node that runs this. */
const PLATFORMS = {
  node: { command: () => process.execPath, args: [], version: ["--version"] },
  "newest node": { package: "node@latest", command: (bin) => join(bin, "node"), args: [], version: ["--version"] },
  bun: { package: "bun@latest", command: (bin) => join(bin, "bun"), args: ["run"], version: ["--version"] },
  deno: { package: "deno@latest", command: (bin) => join(bin, "deno"), args: ["run", "--allow-all"], version: ["--version"] },
};

const wanted = process.argv.slice(2);
for (const name of wanted)
  if (!(name in PLATFORMS)) throw new RangeError(`Unknown platform ${name}; there are ${Object.keys(PLATFORMS).join(", ")}`);

const expected = await readFile(join(root, "scripts/platforms/expected.txt"), "utf8");
const folder = await mkdtemp(join(tmpdir(), "tsyncio-platforms-"));
const missing = [];
let failed = 0;
try {
  for (const [name, platform] of Object.entries(PLATFORMS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const found = await install(name, platform);
    if (found === null) missing.push(name);
    else if (!(await check(name, platform, found))) failed++;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (missing.length > 0) console.log(`not checked: ${missing.join(", ")}`);
process.exitCode = failed > 0 ? 1 : 0;

/** The command of a platform and its version; null where it cannot be had. */
async function install(name, platform) {
  const home = join(folder, name.replace(" ", "-"));
  try {
    if (platform.package !== undefined) {
      await mkdir(home);
      await writeFile(join(home, "package.json"), `{ "private": true }`);
      await execute("npm", ["install", "--no-audit", "--no-fund", "--foreground-scripts", platform.package], {
        cwd: home,
        timeout: 300_000,
      });
    }
    const command = platform.command(join(home, "node_modules/.bin"));
    const { stdout } = await execute(command, platform.version);
    return { command, version: stdout.trim().split("\n", 1)[0] };
  } catch (error) {
    console.log(
      `${name}: not installed: ${String(error.stderr || error.message)
        .trim()
        .split("\n")
        .slice(-3)
        .join(" | ")}`,
    );
    return null;
  }
}

async function check(name, platform, { command, version }) {
  const label = `${name} (${version})`;
  const {
    stdout,
    stderr,
    code = 0,
  } = await execute(command, [...platform.args, program, library], {
    cwd: folder,
    timeout: 60_000,
  }).catch((error) => error);
  if (code === 0 && stdout === expected && stderr === "") {
    console.log(`${label}: ok, ${expected.trim().split("\n").length} lines`);
    return true;
  }
  console.log(`${label}: differs (exit code ${code})`);
  const want = expected.split("\n");
  const got = stdout.split("\n");
  for (let line = 0; line < Math.max(want.length, got.length); line++) {
    if (want[line] === got[line]) continue;
    console.log(`  line ${line + 1}: expected ${JSON.stringify(want[line])}, got ${JSON.stringify(got[line])}`);
    break;
  }
  if (stderr !== "") console.log(stderr.replaceAll(/^/gm, "  stderr: ").slice(0, 2000));
  return false;
}
