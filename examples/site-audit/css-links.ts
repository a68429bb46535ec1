// The addresses in CSS: url(…) anywhere, and the strings of @import.

import { type CssNode, parse, walk } from "css-tree";

export function linksOfStyleSheet(css: string): string[] {
  return linksIn(css, "stylesheet");
}

/** As above, for the value of a `style` attribute. */
export function linksOfDeclarations(css: string): string[] {
  return linksIn(css, "declarationList");
}

function linksIn(css: string, context: string): string[] {
  const links: string[] = [];
  // css-tree skips what it cannot read, as a browser does; broken CSS is not what this audit is about.
  const tree = parse(css, { context, parseCustomProperty: true, onParseError: () => {} });
  walk(tree, (node: CssNode) => {
    if (node.type === "Url") links.push(node.value);
    if (node.type === "Atrule" && node.name === "import" && node.prelude?.type === "AtrulePrelude") {
      const target = node.prelude.children.first;
      if (target?.type === "String") links.push(target.value);
    }
  });
  return links.filter((link) => link !== "" && !link.startsWith("#"));
}
