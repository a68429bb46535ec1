/** Listening at an address, as something to wait for. */

import type { ListenOptions, Server as NodeServer } from "node:net";
import { done, Op, type Operation, type Step } from "../kernel/operation.ts";

/** Makes a server of Node's listen. */
export function listen(server: NodeServer, where: ListenOptions): Operation<void> {
  return new Listen(server, where) as unknown as Operation<void>;
}

class Listen extends Op<void> {
  declare readonly _server: NodeServer;
  declare readonly _where: ListenOptions;
  declare _error: Error | null;
  declare readonly _onListening: () => void;
  declare readonly _onError: (error: Error) => void;

  constructor(server: NodeServer, where: ListenOptions) {
    super();
    this._server = server;
    this._where = where;
    this._error = null;
    this._onListening = () => {
      this._forget();
      this._wake();
    };
    this._onError = (error) => {
      this._error = error;
      this._forget();
      this._wake();
    };
  }

  override _start(): Step<void> {
    this._server.once("listening", this._onListening);
    this._server.once("error", this._onError);
    this._server.listen(this._where);
    return this._wait();
  }

  override _resume(): Step<void> {
    if (this._error !== null) throw this._error;
    return done(undefined);
  }

  override _abandon(): void {
    this._forget();
    this._server.on("error", () => {});
    this._server.close();
  }

  _forget(): void {
    this._server.off("listening", this._onListening);
    this._server.off("error", this._onError);
  }

  /** @internal */
  get _outside(): boolean {
    return true;
  }

  override describe(): string {
    return "startServer (listen)";
  }
}
