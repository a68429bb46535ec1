// Two goroutines hand a token to each other through two channels of one place; a round trip.
package main

func init() {
	workloads["pingpong_queue"] = func(n int) { pingpong(n, 1) }
}
