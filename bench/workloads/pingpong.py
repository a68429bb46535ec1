"""Two tasks wake each other in turn, each by a future (trio: event) made for that one wait; a round trip, of two hand-overs."""

import asyncio


async def asyncio_main(n):
    future = asyncio.get_running_loop().create_future
    to_ping, to_pong, done = future(), future(), 0

    async def pong():
        nonlocal to_pong, done
        for _ in range(n):
            await to_pong
            to_pong = future()
            done += 1
            to_ping.set_result(None)

    task = asyncio.create_task(pong())
    await asyncio.sleep(0)
    for _ in range(n):
        to_ping = future()
        to_pong.set_result(None)
        await to_ping
    await task
    assert done == n


async def trio_main(n):
    import trio

    to_ping, to_pong, done = trio.Event(), trio.Event(), 0

    async def pong():
        nonlocal to_pong, done
        for _ in range(n):
            await to_pong.wait()
            to_pong = trio.Event()
            done += 1
            to_ping.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pong)
        await trio.lowlevel.checkpoint()
        for _ in range(n):
            to_ping = trio.Event()
            to_pong.set()
            await to_ping.wait()
    assert done == n
