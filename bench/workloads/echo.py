"""A server sends messages back. It runs in a thread of its own, on the same kind of loop, for as long as the process does."""

import asyncio
import os
import subprocess
import threading

CLIENTS = os.path.join(os.path.dirname(__file__), "../dist/workloads/support/echo-clients.js")
clients = None


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def serve(loop, ready):
    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        event.set()
        await server.serve_forever()

    event = threading.Event()
    threading.Thread(target=loop.run_until_complete, args=[main()], daemon=True).start()
    event.wait()


async def asyncio_main(n):
    global clients
    if clients is None:
        port = []
        serve(type(asyncio.get_running_loop())(), port)
        pipe = subprocess.PIPE
        clients = subprocess.Popen(["node", CLIENTS, str(port[0])], stdin=pipe, stdout=pipe, text=True)
        clients.stdout.readline()
    clients.stdin.write(f"{n}\n")
    clients.stdin.flush()
    assert clients.stdout.readline() == "done\n"
