// 10 goroutines contend for one mutex; one acquires it, lets others run once and releases it.
package main

import (
	"runtime"
	"sync"
)

func init() {
	workloads["lock"] = func(n int) {
		const tasks = 10
		var lock sync.Mutex
		var group sync.WaitGroup
		group.Add(tasks)
		done := 0
		for i := 0; i < tasks; i++ {
			go func(times int) {
				defer group.Done()
				for j := 0; j < times; j++ {
					lock.Lock()
					runtime.Gosched()
					done++
					lock.Unlock()
				}
			}((n + i) / tasks)
		}
		group.Wait()
		did(done, n)
	}
}
