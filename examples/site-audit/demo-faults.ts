// The faults of the demo site, and beside them what looks like a fault and is none.
//
// Each `plant…` below says three things at once: how the server misbehaves, which pages link to it,
// and which finding it must give.

import type { ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { anchor } from "./demo-pages.ts";
import type { DemoPlan, Respond } from "./demo-site.ts";
import type { FindingKind } from "./findings.ts";

export function plantFaults(plan: DemoPlan): void {
  plantBrokenStatuses(plan);
  plantBrokenConnections(plan);
  plantBrokenAddresses(plan);
  plantRedirects(plan);
  plantRedirectLoops(plan);
  plantTimeouts(plan);
  plantFlaky(plan);
  plantSlow(plan);
  plantOversized(plan);
  plantMalformed(plan);
  plantDuplicates(plan);
  plantInnocent(plan);
}

/** Serves `respond` at `path`, links it, and expects the finding on the pages that hold the link. */
function plant(
  plan: DemoPlan,
  kind: FindingKind,
  reason: string,
  path: string,
  respond: Respond | undefined,
  markup = anchor(path, "more about this"),
): void {
  if (respond) plan.routes.set(path, respond);
  plan.faults.push({ kind, reason, url: path, pages: plan.link(markup) });
}

/** Links an address where nothing is served. */
function plantMissing(plan: DemoPlan, name: string, markup: (path: string) => string): void {
  const path = `/missing/${name}`;
  plant(plan, "broken", "404", path, undefined, markup(path));
}

const status =
  (code: number, headers: Record<string, string> = {}): Respond =>
  (_request, response) => {
    response.writeHead(code, headers).end();
  };

const redirect = (location: string, code = 302): Respond => status(code, { location });

const html = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><title>${title}</title></head><body>${body}</body></html>`;

const page =
  (title: string, body = `<p>${title}</p>`): Respond =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(html(title, body));
  };

// Links that do not work -------------------------------------------------------------------------

function plantBrokenStatuses(plan: DemoPlan): void {
  // One per way to hold a link.
  plantMissing(plan, "page.html", (path) => anchor(path, "more about this"));
  plantMissing(plan, "image.png", (path) => `<img alt="" src="${path}">`);
  plantMissing(
    plan,
    "large.png",
    (path) => `<img alt="" src="/assets/picture-1.svg" srcset="/assets/picture-2.svg 1x, ${path} 2x">`,
  );
  plantMissing(plan, "script.js", (path) => `<script src="${path}"></script>`);
  plantMissing(plan, "style.css", (path) => `<link rel="stylesheet" href="${path}">`);
  plantMissing(plan, "frame.html", (path) => `<iframe src="${path}"></iframe>`);
  plantMissing(plan, "area.html", (path) => `<map name="m"><area alt="" href="${path}"></map>`);
  plantMissing(plan, "search", (path) => `<form action="${path}"><input name="q"></form>`);
  plantMissing(plan, "inline.png", (path) => `<p style="background: url(${path})">painted</p>`);
  plantMissing(plan, "sheet.png", (path) => `<style>p { background: url('${path}') }</style>`);
  plantMissing(plan, "video.mp4", (path) => `<video><source src="${path}"></video>`);
  plantMissing(plan, "noscript.png", (path) => `<noscript><img alt="" src="${path}"></noscript>`);
  plantMissing(plan, "refreshed.html", (path) => `<meta http-equiv="refresh" content="5; url='${path}'">`);

  // The style sheet of every page asks for two files that are not there.
  plan.serve("/assets/site.css", "text/css", '@import "extra.css"; body { background: url("../missing/texture.png") }');
  plan.faults.push({ kind: "broken", reason: "404", url: "/assets/extra.css", pages: ["/assets/site.css"] });
  plan.faults.push({ kind: "broken", reason: "404", url: "/missing/texture.png", pages: ["/assets/site.css"] });

  for (const code of [401, 403, 410, 429, 500, 503]) {
    plant(plan, "broken", String(code), `/status/${code}`, status(code));
  }
}

function plantBrokenConnections(plan: DemoPlan): void {
  plant(plan, "broken", "dropped", "/drop/at-once.html", (request) => request.socket.destroy());
  plant(plan, "broken", "dropped", "/drop/in-the-middle.html", (request, response) => {
    response.writeHead(200, { "content-type": "text/html", "content-length": "50000" });
    response.write(html("Half", "<p>It goes on"), () => request.socket.destroy());
  });
  plant(plan, "broken", "bad-response", "/garbage/protocol", (request) => {
    request.socket.end("220 this is no web server\r\n\r\n");
  });
  plant(plan, "broken", "bad-response", "/garbage/encoding.html", (_request, response) => {
    response.writeHead(200, { "content-type": "text/html", "content-encoding": "gzip" }).end("not gzip at all");
  });
}

function plantBrokenAddresses(plan: DemoPlan): void {
  plant(plan, "broken", "bad-url", "http://[bad", undefined);
  plant(plan, "broken", "bad-url", "https://example.com:99999/", undefined);
  plant(plan, "broken", "missing-anchor", "/topics/tides/1.html#nowhere", undefined);
  plant(plan, "broken", "missing-anchor", "/#no%20where", undefined);
}

function plantTimeouts(plan: DemoPlan): void {
  // They take the longest, so the start page links them: the crawl meets them first.
  const hang = (path: string, respond: Respond) => {
    plan.routes.set(path, respond);
    plan.start.links.push(anchor(path, "in a while"));
    plan.faults.push({ kind: "timed-out", reason: "timed-out", url: path, pages: ["/"] });
  };
  hang("/hang/silent.html", () => {});
  hang("/hang/half.html", (_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.write("<!doctype html><title>Wait");
  });
}

// Redirects --------------------------------------------------------------------------------------

function plantRedirects(plan: DemoPlan): void {
  const target = "/topics/gears/1.html";
  for (const code of [301, 308]) plant(plan, "redirect", "permanent", `/moved/${code}`, redirect(target, code));
  for (const code of [302, 303, 307]) plant(plan, "redirect", "temporary", `/moved/${code}`, redirect(target, code));
  plant(plan, "redirect", "permanent", "/moved/relative/", redirect("../../topics/gears/", 301));
  plant(plan, "redirect", "permanent", "/moved/off-site", redirect("https://example.com/", 301));

  plan.routes.set("/moved/second", redirect("/moved/third", 302));
  plan.routes.set("/moved/third", redirect("/topics/kites/", 308));
  plant(plan, "redirect", "temporary", "/moved/first", redirect("/moved/second", 301));

  // Through a redirect to something broken: one finding, for what the reader gets to see.
  plant(plan, "broken", "404", "/moved/to-missing", redirect("/missing/target.html"));
  plant(plan, "broken", "bad-redirect", "/moved/nowhere", status(302));
  plant(plan, "broken", "bad-redirect", "/moved/malformed", redirect("http://[bad"));

  plan.routes.set("/moved/anchored", redirect(target, 301));
  const pages = plan.link(anchor("/moved/anchored#lost", "the part that was lost"));
  plan.faults.push({ kind: "redirect", reason: "permanent", url: "/moved/anchored", pages });
  plan.faults.push({ kind: "broken", reason: "missing-anchor", url: "/moved/anchored#lost", pages });
}

function plantRedirectLoops(plan: DemoPlan): void {
  plant(plan, "redirect-loop", "loop", "/loop/self", redirect("/loop/self"));
  plan.routes.set("/loop/b", redirect("/loop/c", 301));
  plan.routes.set("/loop/c", redirect("/loop/a", 307));
  plant(plan, "redirect-loop", "loop", "/loop/a", redirect("/loop/b"));
  // Enters the loop above from outside.
  plant(plan, "redirect-loop", "loop", "/loop/entrance", redirect("/loop/b"));
  // Never comes back: each address leads to a new one.
  for (let step = 1; step <= 30; step++) plan.routes.set(`/maze/${step}`, redirect(`/maze/${step + 1}`));
  plant(plan, "redirect-loop", "too-long", "/maze/0", redirect("/maze/1"));
}

// Pages that answer badly ------------------------------------------------------------------------

function plantFlaky(plan: DemoPlan): void {
  const failsFirst = (times: number, fail: Respond, succeed: Respond): Respond => {
    let requests = 0;
    return (request, response) => (++requests <= times ? fail : succeed)(request, response);
  };
  if (plan.limits.retries < 1) return;
  plant(plan, "flaky", "503", "/flaky/busy.html", failsFirst(1, status(503), page("Busy at first")));
  plant(
    plan,
    "flaky",
    "dropped",
    "/flaky/drop.html",
    failsFirst(1, (request) => request.socket.destroy(), page("Dropped at first")),
  );
  if (plan.limits.retries < 2) return;
  plant(plan, "flaky", "500", "/flaky/twice.html", failsFirst(2, status(500), page("Failed twice")));
}

function plantSlow(plan: DemoPlan): void {
  // Far over the line for slow pages, and far under the timeout.
  const delay = (plan.limits.slow + Math.min(plan.limits.timeout, 2 * plan.limits.slow)) / 2;
  for (let number = 1; number <= 4; number++) {
    plant(plan, "slow", "slow", `/slow/start-${number}.html`, (request, response) => {
      later(response, delay, () => page(`Slow to start, ${number}`)(request, response));
    });
  }
  plant(plan, "slow", "slow", "/slow/drip.html", (_request, response) => {
    const text = html("Slow to end", "<p>drip</p>".repeat(5));
    response.writeHead(200, { "content-type": "text/html" });
    for (let part = 0; part < 5; part++) {
      const piece = text.slice((part * text.length) / 5, ((part + 1) * text.length) / 5);
      later(response, ((part + 1) * delay) / 5, () => (part < 4 ? response.write(piece) : response.end(piece)));
    }
  });
}

function later(response: ServerResponse, delay: number, act: () => void): void {
  const timer = setTimeout(act, delay);
  response.once("close", () => clearTimeout(timer));
}

function plantOversized(plan: DemoPlan): void {
  const { maxSize } = plan.limits;
  // Its link stands in the part that is read, and is checked.
  const huge = html(
    "Huge",
    `${anchor("/missing/from-huge.html", "gone")}${paragraph("and so on ").repeat((2 * maxSize) / 1000)}`,
  );
  plant(plan, "oversized", "oversized", "/huge/page.html", (_request, response) => {
    response.writeHead(200, { "content-type": "text/html", "content-length": huge.length }).end(huge);
  });
  plan.faults.push({ kind: "broken", reason: "404", url: "/missing/from-huge.html", pages: ["/huge/page.html"] });
  plant(
    plan,
    "oversized",
    "oversized",
    "/huge/picture.svg",
    (_request, response) => {
      response.writeHead(200, { "content-type": "image/svg+xml" }).end(Buffer.alloc(maxSize + 1, " "));
    },
    '<img alt="" src="/huge/picture.svg">',
  );
  plant(plan, "oversized", "oversized", "/huge/endless.html", (_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    pipeline(Readable.from(endless()), response, () => {}); // ends when the reader leaves
  });
}

function* endless(): Generator<string> {
  yield "<!doctype html><title>Endless</title>";
  for (;;) yield paragraph("and then ").repeat(16);
}

/** At least 1000 bytes. */
function paragraph(words: string): string {
  return `<p>${words.repeat(Math.ceil(1000 / words.length))}</p>`;
}

function plantMalformed(plan: DemoPlan): void {
  const broken = (path: string, body: string) => {
    plant(plan, "malformed", "html", path, (_request, response) => {
      response.writeHead(200, { "content-type": "text/html" }).end(body);
    });
  };
  broken("/malformed/comment.html", "<!doctype html><title>Comment</title><p>seen<!-- never closed <p>unseen");
  broken("/malformed/tag.html", '<!doctype html><title>Tag</title><p>seen<a href="/never/closed');
  broken("/malformed/attributes.html", '<!doctype html><title>Twice</title><a href="/" href="/again">which?</a>');
  broken("/malformed/no-doctype.html", "<title>Quirks</title><p>as in 1997");
  broken("/malformed/quote.html", '<!doctype html><title>Quote</title><p class="a"b">one quote too many</p>');

  plant(plan, "malformed", "content-type", "/malformed/as-text", (_request, response) => {
    response.writeHead(200, { "content-type": "text/plain" }).end(html("As text", "<p>shown as source</p>"));
  });
  plant(plan, "malformed", "content-type", "/malformed/image.png", page("No image"), '<img alt="" src="/malformed/image.png">');
  plant(
    plan,
    "malformed",
    "content-type",
    "/malformed/module.js",
    page("No script"),
    '<script type="module" src="/malformed/module.js"></script>',
  );
  plant(plan, "malformed", "encoding", "/malformed/latin1.html", (_request, response) => {
    response
      .writeHead(200, { "content-type": "text/html; charset=utf-8" })
      .end(Buffer.from(html("Caf\u00e9", "<p>not UTF-8</p>"), "latin1"));
  });
  plant(plan, "malformed", "encoding", "/malformed/charset.html", (_request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=klingon" }).end(html("Klingon", "<p>Qapla</p>"));
  });
}

function plantDuplicates(plan: DemoPlan): void {
  const group = (paths: string[], title: string) => {
    const pages = paths.flatMap((path) => {
      plan.routes.set(path, page(title));
      return plan.link(anchor(path, title));
    });
    const [first = ""] = paths.toSorted(); // a group is named by the first of its addresses
    plan.faults.push({ kind: "duplicate", reason: "content", url: first, pages: [...new Set(pages)] });
  };
  group(["/twins/a.html", "/twins/b.html"], "Twins");
  group(["/print?page=1", "/print?page=1&print=yes", "/print/1"], "Printed");
}

// What must not be reported ----------------------------------------------------------------------

function plantInnocent(plan: DemoPlan): void {
  plan.link(
    '<a href="mailto:someone@example.com">write</a> <a href="tel:+3212345678">call</a> <a href="javascript:void 0">do</a>',
  );
  plan.link('<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACw="> <img alt="" src="">');
  plan.link('<a href="https://example.com/elsewhere">outside: counted, not requested</a>');
  plan.link('<link rel="preconnect" href="/status/500?hint"> <!-- <a href="/commented-out.html">old</a> -->');
  plan.link('<script>document.write("<a href=/written.html>x</a>")</script> <template><img src="/in-template.png"></template>');
  plan.link('<a href="/topics/gears/#:~:text=gears">quoted</a> <a href="/#/route">routed</a> <a href="#">up</a>');

  plan.page("/innocent/anchors.html", () =>
    html("Anchors", '<p id="caf\u00e9 au lait">here</p> <a name="old-style">and here</a>'),
  );
  plan.link(
    '<a href="/innocent/anchors.html#caf%C3%A9%20au%20lait">encoded</a> <a href=" /innocent/anchors.html#old-style ">in spaces</a>',
  );
  // `subscribe` answers a POST only; the audit must not send one, and must not complain.
  plan.routes.set("/innocent/subscribe", status(405, { allow: "POST" }));
  plan.link('<form method="post" action="/innocent/subscribe"><button>subscribe</button></form>');
  plan.routes.set("/innocent/empty", status(204));
  plan.link(anchor("/innocent/empty", "nothing to say"));
  // A base makes relative links mean something else.
  plan.page(
    "/innocent/based.html",
    () =>
      `<!doctype html><html lang="en"><head><title>Based</title><base href="/topics/"></head><body>${anchor("gears/", "gears")}</body></html>`,
  );
  plan.link(anchor("/innocent/based.html", "based"));
  // A duplicate that names its original is none.
  const copy =
    '<!doctype html><title>Original</title><link rel="canonical" href="/innocent/original.html"><p>The original.</p>';
  plan.page("/innocent/original.html", () => copy);
  plan.page("/innocent/copy.html", () => copy);
  plan.link(`${anchor("/innocent/original.html", "original")} ${anchor("/innocent/copy.html", "copy")}`);
  // Sloppy, but every browser shows what was meant.
  plan.page(
    "/innocent/sloppy.html",
    () => "<!doctype html><title>Sloppy</title><p>a & b < c<br/><ul><li>one<li>two</ul><div/>",
  );
  plan.link(anchor("/innocent/sloppy.html", "sloppy"));
  // Says windows-1252, and is.
  plan.routes.set("/innocent/latin1.html", (_request, response) => {
    response
      .writeHead(200, { "content-type": "text/html" })
      .end(Buffer.from('<!doctype html><meta charset="windows-1252"><title>Caf\u00e9</title><p>old', "latin1"));
  });
  plan.link(anchor("/innocent/latin1.html", "old"));
}
