"""Runs source texts: printed programs, and the Python halves of hand-written pairs."""
import asyncio, contextvars, types
from asyncio import staggered

def run_printed(source, eager):
    """Of a text that defines `program(log, loop)`."""
    names = dict(vars(asyncio))
    names.update(ContextVar=contextvars.ContextVar, copy_context=contextvars.copy_context, SimpleNamespace=types.SimpleNamespace,
        Boom=Boom, err=err, fmt=fmt, straight=straight, state=state, if_task=if_task, name_of=name_of, outward=outward,
        describe=describe)
    exec(source, names)
    return trace_of(names["program"], eager)

def run_pair(source, eager=False):
    """Of a text that defines `async def main()`."""
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
    return trace_of(make, eager)
