// Two goroutines wake each other in turn, by unbuffered channels; a round trip, of two hand-overs.
package main

func init() {
	workloads["pingpong"] = func(n int) { pingpong(n, 0) }
}

func pingpong(n, places int) {
	toPing, toPong := make(chan int, places), make(chan int, places)
	go func() {
		for i := 0; i < n; i++ {
			toPing <- <-toPong + 1
		}
	}()
	token := 0
	for i := 0; i < n; i++ {
		toPong <- token
		token = <-toPing
	}
	did(token, n)
}
