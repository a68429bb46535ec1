// The audit against real sockets on loopback. Nothing here compares times: pages are slow by far more
// than a busy machine can be, and the audit measures a slow page twice.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { run } from "tsyncio";
import { expect, test } from "vitest";
import { Audit } from "./audit.ts";
import { checkDemo } from "./demo-check.ts";
import { openDemoSite } from "./demo-site.ts";
import type { Finding } from "./findings.ts";
import { serveFolder } from "./folder-server.ts";
import { readPage } from "./links.ts";
import { serveOnLoopback } from "./loopback-server.ts";
import { makeReport, type Report } from "./report.ts";
import { type AuditSettings, DEFAULTS, DEMO_DEFAULTS } from "./settings.ts";

const MAIN = fileURLToPath(new URL("../dist/site-audit/main.js", import.meta.url));

async function audit(start: string, settings: AuditSettings): Promise<Report> {
  const audit = new Audit(start, settings);
  await run(audit.run());
  return makeReport(audit);
}

test("Audit finds every planted fault and nothing else on the demo site [real]", { timeout: 120_000 }, async () => {
  const settings = { ...DEMO_DEFAULTS, timeout: 4_000, slow: 1_200 };
  const site = await openDemoSite(settings);
  try {
    const report = await audit(site.start, settings);

    const { missing, unexpected } = checkDemo(site.planted, report.findings);
    expect({ missing, unexpected }).toEqual({ missing: [], unexpected: [] });
    expect(report.findings.length).toBe(site.planted.length);
    expect(report.stoppedBy).toBeNull();
    expect(report.counts.unchecked).toBe(0);
    expect(report.counts.pages).toBeGreaterThan(600);
  } finally {
    await site.close();
  }
});

test("Audit finds the faults of a folder when that is served on loopback [real]", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "site-audit-"));
  const page = (title: string, body: string) => `<!doctype html><title>${title}</title>${body}`;
  await writeFile(
    join(folder, "index.html"),
    page("Start", '<a href="a.html">a</a> <a href="gone.html">gone</a> <a href="../etc/passwd">out</a>'),
  );
  await writeFile(
    join(folder, "a.html"),
    page("A", '<a href="b.html">b</a> <a href="b.html#there">b</a> <a href="gone.html">gone</a>'),
  );
  await writeFile(join(folder, "b.html"), page("B", '<p id="here">b</p> <a href="/">up</a> <!-- never closed'));
  const server = await serveFolder(folder);
  try {
    const report = await audit(`${server.origin}/`, DEFAULTS);

    const short = ({ kind, reason, url, pages }: Finding) =>
      [kind, reason, url, ...pages].map((text) => text.replace(server.origin, "")).join(" ");
    expect(report.findings.map(short)).toEqual([
      "broken missing-anchor /b.html#there /a.html",
      "broken 404 /etc/passwd /",
      "broken 404 /gone.html / /a.html",
      "malformed html /b.html /a.html",
    ]);
  } finally {
    await server.close();
    await rm(folder, { recursive: true });
  }
});

test("Audit requests links that leave the site by HEAD when external is set [real]", { timeout: 60_000 }, async () => {
  const methods: string[] = [];
  const elsewhere = await serveOnLoopback((request, response) => {
    methods.push(`${request.method} ${request.url}`);
    response.writeHead(request.url === "/there" ? 200 : 404).end();
  });
  const closed = await serveOnLoopback(() => {});
  await closed.close();
  const site = await serveOnLoopback((_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(
      `<!doctype html><title>Out</title><a href="${elsewhere.origin}/there">a</a><a href="${elsewhere.origin}/gone">b</a><a href="${closed.origin}/">c</a>`,
    );
  });
  try {
    const without = await audit(`${site.origin}/`, DEFAULTS);
    expect(without.findings).toEqual([]);
    expect(without.counts.externalNotRequested).toBe(3);
    expect(methods).toEqual([]);

    const report = await audit(`${site.origin}/`, { ...DEFAULTS, external: true });
    expect(report.findings.map(({ url, reason }) => `${reason} ${url}`).sort()).toEqual(
      [`404 ${elsewhere.origin}/gone`, `refused ${closed.origin}/`].sort(),
    );
    expect(methods.sort()).toEqual(["HEAD /gone", "HEAD /there"]);
  } finally {
    await site.close();
    await elsewhere.close();
  }
});

test("Audit gives a partial report when the deadline passes [real]", { timeout: 60_000 }, async () => {
  // The demo has pages that never answer, so with this timeout it cannot be done in time.
  const settings = { ...DEMO_DEFAULTS, timeout: 60_000, deadline: 2_000 };
  const site = await openDemoSite(settings);
  try {
    const report = await audit(site.start, settings);

    expect(report.stoppedBy).toBe("deadline");
    expect(report.counts.unchecked).toBeGreaterThan(0);
    const planted = new Set(site.planted.map(({ kind, url }) => `${kind} ${url}`));
    const found = report.findings.filter(({ kind }) => kind !== "duplicate").map(({ kind, url }) => `${kind} ${url}`);
    expect(found.filter((finding) => !planted.has(finding))).toEqual([]);
  } finally {
    await site.close();
  }
});

test("Audit reads the links of maxPages pages only when there are more [real]", { timeout: 60_000 }, async () => {
  // Each page links the next one, without end.
  const site = await serveOnLoopback((request, response) => {
    const number = Number(request.url?.slice(1));
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><title>${number}</title><a href="/${number + 1}">on</a>`);
  });
  try {
    const report = await audit(`${site.origin}/0`, { ...DEFAULTS, maxPages: 5 });

    expect(report.stoppedBy).toBeNull();
    expect(report.counts.pages).toBe(6);
    expect(report.counts.pagesNotFollowed).toBe(1);
  } finally {
    await site.close();
  }
});

test("main reports what it has and exits with 130 when SIGINT comes [real]", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "site-audit-"));
  const json = join(folder, "report.json");
  // Some pages of the demo never answer: with this timeout it is still at work when the signal comes.
  const child = spawn(process.execPath, [MAIN, "--timeout", "5m", "--slow", "800ms", "--json", json], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = collect(child);
  try {
    await output.until(/[1-9]\d*\/\d+ URLs/);
    child.kill("SIGINT");
    const [code, signal] = await once(child, "close");

    expect({ code, signal, text: output.text() }).toMatchObject({ code: 130, signal: null });
    expect(output.text()).toContain("PARTIAL REPORT, interrupted");
    const report = JSON.parse(await readFile(json, "utf8")) as Report;
    expect(report.stoppedBy).toBe("interrupt");
    expect(report.counts.unchecked).toBeGreaterThan(0);
  } finally {
    child.kill("SIGKILL");
    await rm(folder, { recursive: true });
  }
});

test("main exits with 1 when a folder has broken links, and 0 when it has none [real]", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "site-audit-"));
  const exitCodeOf = async () => {
    const child = spawn(process.execPath, [MAIN, "--quiet", "--json", join(folder, "report.json"), folder], {
      stdio: "ignore",
    });
    const [code] = await once(child, "close");
    return code;
  };
  try {
    await writeFile(join(folder, "index.html"), '<!doctype html><title>Start</title><a href="gone.html">gone</a>');
    expect(await exitCodeOf()).toBe(1);
    await writeFile(join(folder, "index.html"), "<!doctype html><title>Start</title>");
    expect(await exitCodeOf()).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("main exits with 2 and says what is wrong when an option makes no sense [real]", { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [MAIN, "--timeout", "soon"], { stdio: ["ignore", "pipe", "pipe"] });
  const output = collect(child);
  const [code] = await once(child, "close");

  expect(code).toBe(2);
  expect(output.text()).toContain('Expected --timeout to be a duration like 250ms, 1.5s or 2m, got "soon"');
});

test("readPage resolves each link as a browser does when markup is odd", () => {
  const page = readPage(
    `<!doctype html><title> T </title><base href="/sub/">
     <img srcset="a.png 1x, data:image/png;base64,AA 2x,b.png" style="background:url('c d.png')">
     <meta http-equiv=refresh content="0;URL=e.html"><a href=" f.html
      ">f</a><a name=old id=new><template><a href=no.html></a></template><!-- <a href=no.html> -->
     <a href="http://[bad">bad</a>`,
    "http://site.test/x/",
  );

  expect(page.links.map(({ raw, url }) => url ?? `bad: ${raw}`)).toEqual([
    "http://site.test/sub/a.png",
    "data:image/png;base64,AA",
    "http://site.test/sub/b.png",
    "http://site.test/sub/c%20d.png",
    "http://site.test/sub/e.html",
    "http://site.test/sub/f.html",
    "bad: http://[bad",
  ]);
  expect(page.title).toBe("T");
  expect([...page.anchors]).toEqual(["new", "old"]);
});

/** Gathers what a child writes, and waits for something in it. */
function collect(child: ChildProcessByStdio<null, Readable, Readable>) {
  let text = "";
  let check = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      check();
    });
  }
  return {
    text: () => text,
    until: (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        child.once("close", () => reject(new Error(`Expected ${pattern} before the end, got:\n${text}`)));
        check = () => {
          if (pattern.test(text)) resolve();
        };
        check();
      }),
  };
}
