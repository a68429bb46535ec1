// A goroutine that lets others run once is started and its result awaited, 1000 at a time.
package main

import "runtime"

func init() {
	workloads["spawn_yield_join"] = func(n int) {
		inWaves(n, 1000, func() int {
			runtime.Gosched()
			return 1
		})
	}
}
