// 10 producers and 10 consumers at a channel of 100 places; an item put and taken.
package main

import "sync"

func init() {
	workloads["queue"] = func(n int) {
		const tasks = 10
		queue := make(chan int, 100)
		var group sync.WaitGroup
		group.Add(2 * tasks)
		done := 0
		for i := 0; i < tasks; i++ {
			go func(items int) {
				defer group.Done()
				for j := 0; j < items; j++ {
					queue <- 1
				}
			}((n + i) / tasks)
			go func(items int) {
				defer group.Done()
				taken := 0
				for j := 0; j < items; j++ {
					taken += <-queue
				}
				done += taken // by one thread: GOMAXPROCS is 1
			}((n + i) / tasks)
		}
		group.Wait()
		did(done, n)
	}
}
