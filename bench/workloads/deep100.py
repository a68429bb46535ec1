"""A task suspends and goes on, 100 calls deep."""

from asyncio import sleep

DEPTH = 100


async def nest(levels, leaf, n):
    if levels == 1:
        await leaf(n)
    else:
        await nest(levels - 1, leaf, n)


async def asyncio_main(n):
    async def leaf(n):
        for _ in range(n):
            await sleep(0)

    await nest(DEPTH, leaf, n)


async def trio_main(n):
    from trio.lowlevel import checkpoint

    async def leaf(n):
        for _ in range(n):
            await checkpoint()

    await nest(DEPTH, leaf, n)
