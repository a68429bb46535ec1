"""Two tasks hand a token to each other through two queues (trio: channels) of one place; a round trip."""

import asyncio


async def asyncio_main(n):
    to_ping, to_pong = asyncio.Queue(1), asyncio.Queue(1)

    async def pong():
        for _ in range(n):
            token = await to_pong.get()
            await to_ping.put(token + 1)

    task = asyncio.create_task(pong())
    token = 0
    for _ in range(n):
        await to_pong.put(token)
        token = await to_ping.get()
    await task
    assert token == n


async def trio_main(n):
    import trio

    send_ping, receive_ping = trio.open_memory_channel(1)
    send_pong, receive_pong = trio.open_memory_channel(1)

    async def pong():
        for _ in range(n):
            token = await receive_pong.receive()
            await send_ping.send(token + 1)

    token = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pong)
        for _ in range(n):
            await send_pong.send(token)
            token = await receive_ping.receive()
    assert token == n
