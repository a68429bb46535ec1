"""10,000 tasks wait for one event, it is set, all wake and end; a task, its start and its join included."""

import asyncio

WAITERS = 10_000


async def asyncio_main(n):
    async def waiter(event):
        await event.wait()
        return 1

    done = 0
    for start in range(0, n, WAITERS):
        event = asyncio.Event()
        tasks = [asyncio.create_task(waiter(event)) for _ in range(min(WAITERS, n - start))]
        await asyncio.sleep(0)
        event.set()
        for task in tasks:
            done += await task
    assert done == n


async def trio_main(n):
    import trio

    done = 0

    async def waiter(event):
        nonlocal done
        await event.wait()
        done += 1

    for start in range(0, n, WAITERS):
        event = trio.Event()
        async with trio.open_nursery() as nursery:
            for _ in range(min(WAITERS, n - start)):
                nursery.start_soon(waiter, event)
            await trio.lowlevel.checkpoint()
            event.set()
    assert done == n
