// A goroutine lets others run and goes on, 10 calls deep.
package main

import "runtime"

func init() {
	workloads["deep10"] = func(n int) { nest(10, n) }
}

func nest(levels, n int) {
	if levels == 1 {
		leaf(n)
	} else {
		nest(levels-1, n)
	}
}

func leaf(n int) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
}
