"""A job that suspends once is run, at most 50 at a time; all of a wave of 1000 are handed over at once."""

import asyncio

AT_A_TIME = 50
WAVE = 1000


async def asyncio_main(n):
    semaphore = asyncio.Semaphore(AT_A_TIME)

    async def job():
        await semaphore.acquire()
        try:
            await asyncio.sleep(0)
            return 1
        finally:
            semaphore.release()

    done = 0
    for start in range(0, n, WAVE):
        for task in [asyncio.create_task(job()) for _ in range(min(WAVE, n - start))]:
            done += await task
    assert done == n


async def trio_main(n):
    import trio

    semaphore, done = trio.Semaphore(AT_A_TIME), 0

    async def job():
        nonlocal done
        await semaphore.acquire()
        try:
            await trio.lowlevel.checkpoint()
            done += 1
        finally:
            semaphore.release()

    for start in range(0, n, WAVE):
        async with trio.open_nursery() as nursery:
            for _ in range(min(WAVE, n - start)):
                nursery.start_soon(job)
    assert done == n
