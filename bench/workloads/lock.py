"""10 tasks contend for one lock; one acquires it, suspends once and releases it."""

import asyncio

TASKS = 10


def shares(n):
    return [(n + i) // TASKS for i in range(TASKS)]


async def asyncio_main(n):
    lock = asyncio.Lock()

    async def contender(times):
        done = 0
        while done < times:
            await lock.acquire()
            try:
                await asyncio.sleep(0)
                done += 1
            finally:
                lock.release()
        return done

    done = 0
    for task in [asyncio.create_task(contender(times)) for times in shares(n)]:
        done += await task
    assert done == n


async def trio_main(n):
    import trio

    lock, done = trio.Lock(), 0

    async def contender(times):
        nonlocal done
        for _ in range(times):
            await lock.acquire()
            try:
                await trio.lowlevel.checkpoint()
                done += 1
            finally:
                lock.release()

    async with trio.open_nursery() as nursery:
        for times in shares(n):
            nursery.start_soon(contender, times)
    assert done == n
