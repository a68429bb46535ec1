"""One process for one figure in Python: what child.ts is for JavaScript, with the same arguments and output.

    child.py FILE PEER time BATCH     ns per operation; a batch lasts at least BATCH ms
    child.py FILE PEER memory SIZE    one call with this size

FILE is a workload: a module with `async def asyncio_main(n)`, which uvloop runs as well, and `async def trio_main(n)` where trio can
do the job.
"""

import importlib.util
import json
import resource
import sys
import time

SAMPLES = 5
SETTLED = 0.03
PATIENCE = 10


def measure_time(run, batch):
    n, before, long = 1, float("nan"), 0
    while long < PATIENCE:
        ms = lasts(run, n)
        settled = abs(ms / n - before) <= SETTLED * before
        before = ms / n
        if ms < batch:
            n *= 2
        elif settled:
            break
        else:
            long += 1
    return {"n": n, "samples": [lasts(run, n) * 1e6 / n for _ in range(SAMPLES)]}


def lasts(run, n):
    start = time.perf_counter()
    run(n)
    return (time.perf_counter() - start) * 1e3


def measure_memory(run, size):
    wall = lasts(run, size)
    return {"wall": wall, "cpu": time.process_time() * 1e6, "peak": peak()}


def peak():
    """Linux's maxrss begins with that of the process that started this one, so VmHWM is read there."""
    if sys.platform != "linux":
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


def runner(peer, workload):
    """A function that runs the peer's main with `n` from start to end."""
    if peer == "trio":
        import trio

        return lambda n: trio.run(workload.trio_main, n)
    if peer == "uvloop":
        from uvloop import new_event_loop
    else:
        from asyncio import new_event_loop

    def run(n):
        loop = new_event_loop()
        try:
            loop.run_until_complete(workload.asyncio_main(n))
        finally:
            loop.close()

    return run


def main(file, peer, mode, number):
    sys.dont_write_bytecode = True  # no folder beside the workloads
    spec = importlib.util.spec_from_file_location("workload", file)
    workload = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(workload)
    run = runner(peer, workload)
    return measure_time(run, float(number)) if mode == "time" else measure_memory(run, int(number))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
