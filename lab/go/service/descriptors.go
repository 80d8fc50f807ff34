package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// holdDescriptors leaks file descriptors, as a client that never closes its connections does.
func holdDescriptors(b behaviour) {
	if b.maxFiles > 0 {
		limit := syscall.Rlimit{Cur: uint64(b.maxFiles), Max: uint64(b.maxFiles)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			fmt.Fprintln(os.Stderr, "MAX_DESCRIPTORS:", err)
		}
	}
	held := []int{}
	started := time.Now()
	for b.leakFiles > 0 {
		for len(held) < int(b.leakFiles*time.Since(started).Seconds()) {
			file, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0)
			if err != nil {
				break // none is left
			}
			held = append(held, file)
		}
		time.Sleep(step)
	}
}

// writeDescriptors tells what every Prometheus client library tells of its process.
func writeDescriptors(out io.Writer) {
	open, err := os.ReadDir("/proc/self/fd")
	limit := syscall.Rlimit{}
	if err != nil || syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	fmt.Fprintf(out, "# TYPE process_open_fds gauge\nprocess_open_fds %d\n", len(open))
	fmt.Fprintf(out, "# TYPE process_max_fds gauge\nprocess_max_fds %d\n", limit.Cur)
}
