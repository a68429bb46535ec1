"""A task sleeps for 1500 ms, beside all the others, and its end is awaited."""

from asyncio import create_task, sleep

NAP = 1.5


async def sleeper():
    await sleep(NAP)
    return 1


async def asyncio_main(n):
    done = 0
    for task in [create_task(sleeper()) for _ in range(n)]:
        done += await task
    assert done == n


async def trio_main(n):
    import trio

    async with trio.open_nursery() as nursery:
        for _ in range(n):
            nursery.start_soon(trio.sleep, NAP)
