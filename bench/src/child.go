// One process for one figure in Go: what child.ts is for JavaScript, with the same arguments and output.
//
//	bench WORKLOAD go time BATCH     ns per operation; a batch lasts at least BATCH ms
//	bench WORKLOAD go memory SIZE    one call with this size
//	bench                            nothing: for the time it takes to start
//
// It is built together with workloads/*.go, each of which enters its function into workloads.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Do n operations and return when the last one is over; by the name of the workload.
var workloads = map[string]func(n int){}

const (
	samples  = 5
	settled  = 0.03
	patience = 10
)

func measureTime(run func(n int), batch float64) any {
	n, before := 1, math.NaN()
	for long := 0; long < patience; {
		ms := lasts(run, n)
		now := ms / float64(n)
		isSettled := math.Abs(now-before) <= settled*before
		before = now
		if ms < batch {
			n *= 2
		} else if isSettled {
			break
		} else {
			long++
		}
	}
	taken := make([]float64, samples)
	for i := range taken {
		taken[i] = lasts(run, n) * 1e6 / float64(n)
	}
	return map[string]any{"n": n, "samples": taken}
}

// In milliseconds.
func lasts(run func(n int), n int) float64 {
	start := time.Now()
	run(n)
	return float64(time.Since(start).Nanoseconds()) / 1e6
}

func measureMemory(run func(n int), size int) any {
	wall := lasts(run, size)
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	micros := func(t syscall.Timeval) int64 { return int64(t.Sec)*1e6 + int64(t.Usec) }
	return map[string]any{"wall": wall, "cpu": micros(usage.Utime) + micros(usage.Stime), "peak": peak(usage)}
}

// In bytes. Linux's maxrss begins with that of the process that started this one, so VmHWM is read there.
func peak(usage syscall.Rusage) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return int64(usage.Maxrss) // of macOS, where it is in bytes
	}
	for _, line := range strings.Split(string(status), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes * 1024
		}
	}
	panic("no VmHWM in /proc/self/status")
}

// Panics unless a workload did all that it was asked to do.
func did(done, asked int) {
	if done != asked {
		panic(fmt.Sprintf("did %d of %d operations", done, asked))
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func main() {
	if len(os.Args) < 5 {
		return
	}
	run, number := workloads[os.Args[1]], 0.0
	if run == nil {
		panic("no workload " + os.Args[1])
	}
	if _, err := fmt.Sscan(os.Args[4], &number); err != nil {
		panic(err)
	}
	result := any(nil)
	if os.Args[3] == "time" {
		result = measureTime(run, number)
	} else {
		result = measureMemory(run, int(number))
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		panic(err)
	}
}
