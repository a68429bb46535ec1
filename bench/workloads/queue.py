"""10 producers and 10 consumers at a queue (trio: channel) of 100 places; an item put and taken."""

import asyncio

TASKS = 10
SIZE = 100


def shares(n):
    return [(n + i) // TASKS for i in range(TASKS)]


async def asyncio_main(n):
    queue = asyncio.Queue(SIZE)

    async def producer(items):
        for _ in range(items):
            await queue.put(1)

    async def consumer(items):
        taken = 0
        for _ in range(items):
            taken += await queue.get()
        return taken

    producers = [asyncio.create_task(producer(items)) for items in shares(n)]
    consumers = [asyncio.create_task(consumer(items)) for items in shares(n)]
    for task in producers:
        await task
    done = 0
    for task in consumers:
        done += await task
    assert done == n


async def trio_main(n):
    import trio

    send, receive = trio.open_memory_channel(SIZE)
    done = 0

    async def producer(items):
        for _ in range(items):
            await send.send(1)

    async def consumer(items):
        nonlocal done
        for _ in range(items):
            item = await receive.receive()
            done += item

    async with trio.open_nursery() as nursery:
        for items in shares(n):
            nursery.start_soon(producer, items)
        for items in shares(n):
            nursery.start_soon(consumer, items)
    assert done == n
