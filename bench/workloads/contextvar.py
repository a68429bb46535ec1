"""A task gives a context variable a value and reads it twice. Trio uses the same variables, and takes no part."""

from contextvars import ContextVar

user = ContextVar("user")


async def asyncio_main(n):
    done = 0
    for i in range(n):
        user.set(i)
        if user.get() == i and user.get() == i:
            done += 1
    assert done == n
