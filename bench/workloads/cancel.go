// A goroutine is started, waits for what never comes, is cancelled, and its end is awaited; 100 are started at a time.
package main

import (
	"context"
	"runtime"
)

func init() {
	workloads["cancel"] = func(n int) {
		type task struct {
			cancel context.CancelFunc
			end    chan error
		}
		const wave = 100
		done := 0
		for from := 0; from < n; from += wave {
			tasks := make([]task, min(wave, n-from))
			for i := range tasks {
				ctx, cancel := context.WithCancel(context.Background())
				end := make(chan error, 1)
				tasks[i] = task{cancel, end}
				go func() {
					<-ctx.Done()
					end <- ctx.Err()
				}()
			}
			runtime.Gosched()
			for _, task := range tasks {
				task.cancel()
				if <-task.end == context.Canceled {
					done++
				}
			}
		}
		did(done, n)
	}
}
