/**
 * The clients of the workload `echo`, in a process of their own and the same for every server: 100 connections of node:net, each sends
 * 1 KiB, waits until it is back, and so on.
 *
 *   echo-clients.js PORT       then, for each line N on stdin, N messages, and a line on stdout when all are back
 */

import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

const CONNECTIONS = 100;
const MESSAGE: Buffer = Buffer.alloc(1024, "message ");

let toSend = 0;
let missing = 0;

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let received = 0;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      received += chunk.length;
      while (received >= MESSAGE.length) {
        received -= MESSAGE.length;
        if (--missing === 0) process.stdout.write("done\n");
        else send(socket);
      }
    });
  });
}

function send(socket: Socket): void {
  if (toSend === 0) return;
  toSend--;
  socket.write(MESSAGE);
}

const port = Number(process.argv[2]);
const sockets: Socket[] = [];
for (let i = 0; i < CONNECTIONS; i++) sockets.push(await open(port));
process.stdout.write("ready\n");
createInterface(process.stdin)
  .on("line", (line) => {
    toSend = missing = Number(line);
    for (const socket of sockets) send(socket);
  })
  .on("close", () => process.exit());
