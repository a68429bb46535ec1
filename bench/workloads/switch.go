// A goroutine lets others run and goes on, with nothing else to do.
package main

import "runtime"

func init() {
	workloads["switch"] = func(n int) {
		for i := 0; i < n; i++ {
			runtime.Gosched()
		}
	}
}
