"""A body that suspends once is run under a timeout of 10 s."""

import asyncio

LIMIT = 10


async def body():
    await asyncio.sleep(0)
    return 1


async def asyncio_main(n):
    done = 0
    for _ in range(n):
        async with asyncio.timeout(LIMIT):
            done += await body()
    assert done == n


async def trio_main(n):
    import trio

    async def body():
        await trio.lowlevel.checkpoint()
        return 1

    done = 0
    for _ in range(n):
        with trio.fail_after(LIMIT):
            done += await body()
    assert done == n
