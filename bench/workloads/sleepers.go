// A goroutine sleeps for 1500 ms, beside all the others, and its end is awaited.
package main

import (
	"sync"
	"time"
)

func init() {
	workloads["sleepers"] = func(n int) {
		var group sync.WaitGroup
		group.Add(n)
		for i := 0; i < n; i++ {
			go func() {
				defer group.Done()
				time.Sleep(1500 * time.Millisecond)
			}()
		}
		group.Wait()
	}
}
