"""A timer of an hour is set, and the one set 1000 operations before is cancelled. Trio has no timers apart from tasks."""

import asyncio

ALIVE = 1000
HOUR = 3600


async def asyncio_main(n):
    loop = asyncio.get_running_loop()

    def ring():
        pass

    timers = []
    for i in range(n):
        if i < ALIVE:
            timers.append(loop.call_later(HOUR, ring))
        else:
            timers[i % ALIVE].cancel()
            timers[i % ALIVE] = loop.call_later(HOUR, ring)
        # The loop drops cancelled timers when it turns.
        if i % ALIVE == 0:
            await asyncio.sleep(0)
    for timer in timers:
        timer.cancel()
