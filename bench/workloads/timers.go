// A timer of an hour is set, and the one set 1000 operations before is stopped.
package main

import "time"

func init() {
	workloads["timers"] = func(n int) {
		const alive = 1000
		ring := func() {}
		timers := make([]*time.Timer, 0, alive)
		for i := 0; i < n; i++ {
			if i < alive {
				timers = append(timers, time.AfterFunc(time.Hour, ring))
			} else {
				timers[i%alive].Stop()
				timers[i%alive] = time.AfterFunc(time.Hour, ring)
			}
		}
		for _, timer := range timers {
			timer.Stop()
		}
	}
}
