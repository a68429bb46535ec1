import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { run } from "tsyncio";
import { expect, test } from "vitest";
import { start } from "../shared/programs.ts";
import { inUnits, Latencies } from "./latencies.ts";
import { type LoadSettings, loadTest } from "./load-test.ts";
import { report } from "./report.ts";

async function served(listener: RequestListener, body: (url: URL, server: Server) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), server);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const settings = (url: URL, more: Partial<LoadSettings> = {}): LoadSettings => ({
  url,
  connections: 5,
  duration: 300,
  timeout: 5000,
  method: "GET",
  headers: {},
  body: undefined,
  ...more,
});

test("loadTest(), counts answers and bytes, over as many connections as it was told [real]", async () => {
  let requests = 0;
  const sockets = new Set<unknown>();
  await served(
    (request, response) => {
      requests++;
      sockets.add(request.socket);
      response.end("twelve bytes");
    },
    async (url) => {
      const result = await run(loadTest(settings(url)));

      expect(result.requests).toBeGreaterThan(5);
      // Those under way at the end were asked and not answered.
      expect(requests - result.requests).toBeLessThanOrEqual(5);
      expect([result.bytes / result.requests, result.latencies.count, sockets.size]).toEqual([12, result.requests, 5]);
      expect([[...result.statuses], result.errors.size]).toEqual([[[200, result.requests]], 0]);
      expect(report(settings(url), result)).toMatch(/Requests {2}\d+, \d+ per second[\s\S]*99\.9% {2}[\d.]+ (µs|ms|s)[\s\S]*█/);
    },
  );
});

test("loadTest(), counts what fails by its reason, and sends what it was told to [real]", async () => {
  const seen = new Set<string>();
  let asked = 0;
  await served(
    (request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        seen.add(`${request.method} ${request.headers["x-key"]} ${body}`);
        if (request.headers["x-key"] === "never") return;
        if (++asked % 3 === 0) request.socket.destroy();
        else response.writeHead(503).end();
      });
    },
    async (url) => {
      const posted = await run(loadTest(settings(url, { method: "POST", headers: { "x-key": "7" }, body: "data" })));
      expect([...seen]).toEqual(["POST 7 data"]);
      expect([...posted.statuses.keys()]).toEqual([503]);
      expect([...posted.errors.keys()]).toEqual(["ECONNRESET"]);
      const late = await run(loadTest(settings(url, { headers: { "x-key": "never" }, timeout: 50 })));
      expect([...late.errors.keys()]).toEqual(["timeout"]);
    },
  );
});

test("load-test, the program, reports, and fails when nobody answers [real]", async () => {
  await served(
    (_, response) => void response.end("ok"),
    async (url) => {
      const good = start("load-test/main.js", "--duration", "200ms", "--connections", "2", url.href);
      expect([await good.ended, good.output]).toEqual([0, expect.stringContaining("2 connections")]);
    },
  );
  const nobody = start("load-test/main.js", "--duration", "50ms", "http://127.0.0.1:1/");
  expect([await nobody.ended, nobody.output]).toEqual([1, expect.stringContaining("ECONNREFUSED")]);
  const wrong = start("load-test/main.js", "ftp://127.0.0.1/");
  expect([await wrong.ended, wrong.output]).toEqual([2, expect.stringContaining("Expected a URL")]);
});

test("Latencies, tells percentiles to three figures, and draws a bar for each power of two", () => {
  const latencies = new Latencies();
  for (let i = 1; i <= 1000; i++) latencies.record(i / 10);

  expect(latencies.percentile(50)).toBeCloseTo(50, 0);
  expect(latencies.percentile(99)).toBeCloseTo(99, 0);
  expect([latencies.count, latencies.most >= 99.9]).toEqual([1000, true]);
  const bars = latencies.draw().filter((line) => line.includes("█"));
  expect(bars[0]).toMatch(/≤ +128 µs {2}█+ 1$/);
  expect(bars.reduce((sum, line) => sum + Number(/(\d+)$/.exec(line)?.[1]), 0)).toBe(1000);
  expect([inUnits(0.5), inUnits(12.345), inUnits(1500)]).toEqual(["500 µs", "12.35 ms", "1.50 s"]);
  expect(new Latencies().draw()).toEqual(["  no request was answered"]);
});
