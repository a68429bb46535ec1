import type { Workload } from "../src/workload.ts";

/** So many are alive at a time. */
const ALIVE = 1000;
const HOUR = 3_600_000;

const workload: Workload = {
  name: "timers",
  operation: "a timer of an hour is set, and the one set 1000 operations before is cancelled",
  measures: "time",
  peers: {
    async tsyncio() {
      const { getRunningLoop, run, sleep } = await import("tsyncio");
      const ring = () => {};
      function* main(n: number) {
        const loop = getRunningLoop();
        const timers = [];
        for (let i = 0; i < n; i++) {
          if (i < ALIVE) timers.push(loop.callLater(HOUR, ring));
          else {
            timers[i % ALIVE]?.cancel();
            timers[i % ALIVE] = loop.callLater(HOUR, ring);
          }
          // As a program would, it lets the loop turn now and then.
          if (i % ALIVE === 0) yield* sleep(0);
        }
        for (const timer of timers) timer.cancel();
      }
      return (n) => run(main(n));
    },
    async native() {
      const ring = () => {};
      return (n) => {
        const timers = [];
        for (let i = 0; i < n; i++) {
          if (i < ALIVE) timers.push(setTimeout(ring, HOUR));
          else {
            clearTimeout(timers[i % ALIVE]);
            timers[i % ALIVE] = setTimeout(ring, HOUR);
          }
        }
        for (const timer of timers) clearTimeout(timer);
      };
    },
    async floor() {
      const { callLater, run, sleep } = await import("./floor/runtime.ts");
      const ring = () => {};
      function* main(n: number) {
        const timers = [];
        for (let i = 0; i < n; i++) {
          if (i < ALIVE) timers.push(callLater(HOUR, ring));
          else {
            timers[i % ALIVE]?.cancel();
            timers[i % ALIVE] = callLater(HOUR, ring);
          }
          if (i % ALIVE === 0) yield* sleep(0);
        }
        for (const timer of timers) timer.cancel();
      }
      return (n) => run(main(n));
    },
    async rxjs() {
      const { timer } = await import("rxjs");
      const hour = timer(HOUR);
      const ring = () => {};
      return (n) => {
        const timers = [];
        for (let i = 0; i < n; i++) {
          if (i < ALIVE) timers.push(hour.subscribe(ring));
          else {
            timers[i % ALIVE]?.unsubscribe();
            timers[i % ALIVE] = hour.subscribe(ring);
          }
        }
        for (const timer of timers) timer.unsubscribe();
      };
    },
  },
};

export default workload;
