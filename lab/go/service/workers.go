package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// workers is what a service has a bounded number of, such as threads or connections to a database.
// They wait instead of computing: the load is real to users and cheap for the machine.
type workers struct {
	slots chan struct{} // nil: without a bound
	each  time.Duration
	busy  atomic.Int64 // nanoseconds of work so far
}

func newWorkers(number int, each time.Duration) *workers {
	w := &workers{each: each}
	if number > 0 {
		w.slots = make(chan struct{}, number)
	}
	return w
}

// work waits for a worker and does one request's work; false when the client gave up before.
func (w *workers) work(client context.Context) bool {
	if w.slots != nil {
		select {
		case w.slots <- struct{}{}:
			defer func() { <-w.slots }()
		case <-client.Done():
			return false
		}
	}
	time.Sleep(w.each)
	w.busy.Add(int64(w.each))
	return true
}

func (w *workers) write(out io.Writer) {
	if w.slots == nil {
		return
	}
	fmt.Fprintf(out, "# TYPE http_workers gauge\nhttp_workers %d\n", cap(w.slots))
	seconds := time.Duration(w.busy.Load()).Seconds()
	fmt.Fprintf(out, "# TYPE http_work_seconds_total counter\nhttp_work_seconds_total %g\n", seconds)
}
