// A body that lets others run once is run under a timeout of 10 s: of a context, at which it looks when it goes on.
package main

import (
	"context"
	"runtime"
	"time"
)

func init() {
	body := func(ctx context.Context) int {
		runtime.Gosched()
		if ctx.Err() != nil {
			return 0
		}
		return 1
	}
	workloads["timeout"] = func(n int) {
		done := 0
		for i := 0; i < n; i++ {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			done += body(ctx)
			cancel()
		}
		did(done, n)
	}
}
