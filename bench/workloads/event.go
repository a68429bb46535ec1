// 10,000 goroutines wait for one channel, it is closed, all wake and end; a goroutine, its start and its join included.
package main

import (
	"runtime"
	"sync"
)

func init() {
	workloads["event"] = func(n int) {
		const waiters = 10_000
		done := 0
		for from := 0; from < n; from += waiters {
			size := min(waiters, n-from)
			event := make(chan struct{})
			var group sync.WaitGroup
			group.Add(size)
			for i := 0; i < size; i++ {
				go func() {
					defer group.Done()
					<-event
					done++ // by one thread: GOMAXPROCS is 1
				}()
			}
			runtime.Gosched()
			close(event)
			group.Wait()
		}
		did(done, n)
	}
}
