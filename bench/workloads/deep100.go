// A goroutine lets others run and goes on, 100 calls deep.
package main

func init() {
	workloads["deep100"] = func(n int) { nest(100, n) }
}
