// A goroutine that returns at once is started and its result awaited, 1000 at a time.
package main

import "sync"

func init() {
	workloads["spawn_join"] = func(n int) {
		inWaves(n, 1000, func() int { return 1 })
	}
}

// Runs one in n goroutines, of which so many are started before all of them are awaited. Their results are added up by one thread, as
// GOMAXPROCS is 1: a slice or a channel for them would be slower.
func inWaves(n, wave int, one func() int) {
	done := 0
	for from := 0; from < n; from += wave {
		size := min(wave, n-from)
		var group sync.WaitGroup
		group.Add(size)
		for i := 0; i < size; i++ {
			go func() {
				result := one()
				done += result
				group.Done()
			}()
		}
		group.Wait()
	}
	did(done, n)
}
