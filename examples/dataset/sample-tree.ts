// For the tests: some hundred files that have all that is odd in real ones, the same ones each time.

const LICENCES: readonly Record<string, unknown>[] = [
  { license: "MIT" },
  { license: "ISC" },
  { license: { type: "Apache-2.0", url: "https://example.org" } },
  { licenses: [{ type: "MIT" }, { type: "GPL-2.0" }] },
  { license: 7 },
  {},
];

/** Contents by path, with `/`; folders are what paths have before their last one. */
export function sampleTree(packages = 40): Map<string, string> {
  const tree = new Map<string, string>([
    ["loose.js", "// belongs to no package\n"],
    [".cache/hidden.js", "not counted\n"],
    ["readme.md", "# not counted\n"],
  ]);
  for (let number = 0; number < packages; number++) {
    const folder = number % 7 === 3 ? `@scope/p${number}` : `p${number}`;
    const dependencies = Object.fromEntries(
      [1, 2, 3].flatMap((step) => (number % step === 0 ? [[`p${(number * step) % 9}`, "1"]] : [])),
    );
    const manifest = { name: folder, version: `1.${number % 3}.0`, ...LICENCES[number % LICENCES.length], dependencies };
    tree.set(`${folder}/package.json`, `${number % 5 === 0 ? "\ufeff" : ""}${JSON.stringify(manifest, null, number % 2)}\n`);
    for (let each = 0; each < 3 + (number % 4); each++) {
      const lines = (number * 31 + each * 17) % 90;
      tree.set(`${folder}/dist/file${each}.${["js", "mjs", "cjs"][each % 3]}`, "let x = 1; // ä\n".repeat(lines));
    }
    // A module type for a folder, without a name; a file that ends in the middle of a line; an empty one.
    tree.set(`${folder}/dist/package.json`, '{ "type": "module" }');
    tree.set(`${folder}/last.js`, "one\ntwo");
    tree.set(`${folder}/empty.js`, "");
    // The same package once more, below another one.
    if (number % 8 === 1) {
      tree.set(`${folder}/node_modules/p0/package.json`, '{ "name": "p0", "version": "1.0.0", "license": "MIT" }');
      tree.set(`${folder}/node_modules/p0/deep/er/index.js`, "export {};\n".repeat(number));
    }
  }
  tree.set("broken/package.json", '{ "name": ');
  tree.set("broken/index.js", "belongs to no package\n");
  tree.set("list/package.json", "[]");
  tree.set("huge/package.json", '{ "name": "huge", "licenses": [] }');
  tree.set("huge/dist/more.js", "more\n");
  tree.set("huge/bundle.js", "0123456789abcde\n".repeat(9_000));
  return tree;
}
