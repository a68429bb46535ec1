/** One connection of a server, and the task that serves it. */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { isCancelled } from "../base/errors.ts";
import { Context, type captureContext } from "../kernel/context.ts";
import { isGeneratorFunction } from "../kernel/kinds.ts";
import type { EventLoop } from "../kernel/loop.ts";
import type { Task, TaskBody } from "../kernel/task.ts";
import type { Streams } from "../streams/memory.ts";
import { NodeTransport } from "../streams/node-transport.ts";
import type { ReaderOptions } from "../streams/reader.ts";
import { hostPort } from "./address.ts";
import type { ClientHandler } from "./server.ts";
import { makeUpgradable, refuseUpgrade } from "./tls.ts";

export class Client {
  readonly transport: NodeTransport;
  /** Set by `start`. */
  task!: Task<unknown>;
  readonly #loop: EventLoop;
  readonly #peer: string;
  #lost = false;
  #ended = false;

  constructor(loop: EventLoop, socket: Socket, path: string | undefined, reader: ReaderOptions) {
    this.#loop = loop;
    const { remoteAddress, remotePort = 0, localAddress, localPort, localFamily } = socket;
    this.#peer = path ?? hostPort(remoteAddress ?? "a client that has gone", remotePort);
    const secure = (socket as Partial<TLSSocket>).encrypted === true;
    this.transport = new NodeTransport(socket, `${secure ? "TLS " : ""}connection from ${this.#peer}`, reader);
    // Once it is closed, nobody can tell any more.
    const sockname =
      path ?? (localAddress === undefined ? undefined : { address: localAddress, port: localPort, family: localFamily });
    this.transport.extra = { sockname };
    if (secure) refuseUpgrade(this.transport);
    else makeUpgradable(this.transport, "server");
  }

  /** Runs the handler, and calls back when that has ended and the connection is gone. */
  start(handler: ClientHandler, values: ReturnType<typeof captureContext>, whenGone: () => void): void {
    const { reader, writer } = this.transport;
    const streams: Streams = { reader, writer };
    this.transport.whenLost = () => {
      this.#lost = true;
      if (this.#ended) whenGone();
    };
    const name = `${handler.name || "client handler"} ${this.#peer}`;
    const context = values === null ? undefined : new Context(values);
    // A function* is called here, as that runs nothing; one of another kind has to be called in its task.
    const body = isGeneratorFunction(handler) ? (handler(streams) as TaskBody<unknown>) : () => handler(streams);
    this.task = this.#loop.createTask(body as TaskBody<unknown>, { name, context });
    this.task.addDoneCallback((task) => {
      this.#ended = true;
      this.#tell(task);
      this.transport.close();
      if (this.#lost) whenGone();
    });
  }

  /** As in asyncio, the error of a handler ends its connection, and nothing else. */
  #tell(task: Task<unknown>): void {
    const exception = task.cancelled() ? null : task.exception();
    if (exception === null || isCancelled(exception)) return;
    const message = `Unhandled exception in client handler (peer ${this.#peer})`;
    this.#loop.callExceptionHandler({ message, exception, task, peer: this.#peer });
  }
}
