"""A task is started, waits for what never comes, is cancelled, and its end is awaited; 100 are started at a time."""

import asyncio

WAVE = 100


async def asyncio_main(n):
    future = asyncio.get_running_loop().create_future

    async def wait_forever():
        await future()

    done = 0
    for start in range(0, n, WAVE):
        tasks = [asyncio.create_task(wait_forever()) for _ in range(min(WAVE, n - start))]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                done += 1
    assert done == n


async def trio_main(n):
    """Each task has a scope of its own, and tells its end by an event, as trio has no tasks to be awaited."""
    import trio

    done = 0

    async def wait_forever(scope, ended):
        nonlocal done
        with scope:
            await trio.sleep_forever()
        if scope.cancelled_caught:
            done += 1
        ended.set()

    async with trio.open_nursery() as nursery:
        for start in range(0, n, WAVE):
            tasks = [(trio.CancelScope(), trio.Event()) for _ in range(min(WAVE, n - start))]
            for scope, ended in tasks:
                nursery.start_soon(wait_forever, scope, ended)
            await trio.lowlevel.checkpoint()
            for scope, ended in tasks:
                scope.cancel()
                await ended.wait()
    assert done == n
