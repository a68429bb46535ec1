"""Runs the Python half of a hand-written pair: a source text that defines `async def main()`."""
import asyncio, contextvars
from asyncio import staggered

def run_pair(source):
    def make(log, loop):
        async def a(label, awaitable):
            """Awaits, and logs how it ended."""
            try:
                r = await awaitable
            except BaseException as e:
                log(label + "!" + err(e))
            else:
                log(label + "=" + fmt(r))
                return r
        names = dict(vars(asyncio))
        names.update(log=log, loop=loop, a=a, err=err, fmt=fmt, Boom=Boom, asyncio=asyncio, contextvars=contextvars,
            staggered_race=staggered.staggered_race)
        exec(source, names)
        return names["main"]()
    return trace_of(make)
