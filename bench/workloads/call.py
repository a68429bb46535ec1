"""A call that does not suspend is awaited."""


async def one():
    return 1


async def asyncio_main(n):
    done = 0
    for _ in range(n):
        done += await one()
    assert done == n


async def trio_main(n):
    await asyncio_main(n)
