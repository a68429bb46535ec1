/** Streams over the network, servers, and UDP. For Node, Bun and Deno. */

export { type Streams, streamPair } from "../streams/memory.ts";
export { type ByteSource, DEFAULT_LIMIT, type ReaderOptions, StreamReader } from "../streams/reader.ts";
export type { TlsOptions } from "../streams/tls-options.ts";
export { ConnectionLostError, type Transport } from "../streams/transport.ts";
export { type Data, StreamWriter } from "../streams/writer.ts";
export type { SocketAddress } from "./address.ts";
export { type ConnectOptions, type ConnectUnixOptions, openConnection, openUnixConnection } from "./connect.ts";
export { type Datagram, DatagramEndpoint, type DatagramOptions, type HostPort, openDatagram } from "./datagram.ts";
export { NetworkError } from "./errors.ts";
export type { Lookup, StreamOptions, TcpOptions } from "./options.ts";
export { type ClientHandler, Server, type ShutdownOptions } from "./server.ts";
export { type ServerOptions, startServer, startUnixServer, type UnixServerOptions } from "./start-server.ts";
