"""A task that returns at once is started and its result awaited, 1000 at a time. In trio, a nursery waits for the wave."""

from asyncio import create_task

WAVE = 1000


async def one():
    return 1


async def asyncio_main(n):
    done = 0
    for start in range(0, n, WAVE):
        tasks = [create_task(one()) for _ in range(min(WAVE, n - start))]
        for task in tasks:
            done += await task
    assert done == n


async def trio_main(n):
    import trio

    done = 0

    async def one():
        nonlocal done
        done += 1

    for start in range(0, n, WAVE):
        async with trio.open_nursery() as nursery:
            for _ in range(min(WAVE, n - start)):
                nursery.start_soon(one)
    assert done == n
