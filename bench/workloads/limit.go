// A job that suspends once is run, at most 50 at a time by a channel of 50 places; all of a wave of 1000 are started at once.
package main

import "runtime"

func init() {
	workloads["limit"] = func(n int) {
		places := make(chan struct{}, 50)
		inWaves(n, 1000, func() int {
			places <- struct{}{}
			defer func() { <-places }()
			runtime.Gosched()
			return 1
		})
	}
}
