import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Run } from "../../src/workload.ts";

/** Connects the clients to a server, and gives what sends `n` messages and ends when all are back. */
export async function echoed(port: number): Promise<Run> {
  const clients = spawn(process.execPath, [fileURLToPath(new URL("echo-clients.js", import.meta.url)), String(port)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(clients.stdout)[Symbol.asyncIterator]();
  await lines.next();
  return async (n) => {
    clients.stdin.write(`${n}\n`);
    if ((await lines.next()).done === true) throw new Error("The clients have ended");
  };
}
