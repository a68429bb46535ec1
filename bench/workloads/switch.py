"""A task suspends and goes on, with nothing else to do."""

from asyncio import sleep


async def asyncio_main(n):
    for _ in range(n):
        await sleep(0)


async def trio_main(n):
    from trio.lowlevel import checkpoint

    for _ in range(n):
        await checkpoint()
