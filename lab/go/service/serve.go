package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// After SIGTERM new requests still arrive until every proxy has heard that the pod is going:
// keep answering this long, then finish what is in flight.
const (
	linger = 800 * time.Millisecond
	finish = 200 * time.Millisecond
)

type service struct {
	behaviour
	started  time.Time
	requests *counters
	workers  *workers
}

func serve([]string) error {
	b, err := readEnvironment()
	if err != nil {
		return err
	}
	requests := newCounters("http_requests_total", "Requests to /.", "200", "500")
	each := time.Duration(b.workSeconds * float64(time.Second))
	s := &service{b, time.Now(), requests, newWorkers(int(b.workers), each)}
	go holdMemory(b)
	go holdDescriptors(b)
	if b.exitAfter > 0 {
		time.AfterFunc(time.Duration(b.exitAfter*float64(time.Second)), func() {
			fmt.Fprintln(os.Stderr, "EXIT_AFTER_SECONDS has passed: exiting with 1")
			os.Exit(1)
		})
	}
	return listen(s.handler())
}

// listen serves until a second after SIGTERM.
func listen(handler http.Handler) error {
	server := &http.Server{Addr: ":8080", Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		<-stop.Done()
		time.Sleep(linger)
		deadline, done := context.WithTimeout(context.Background(), finish)
		defer done()
		_ = server.Shutdown(deadline)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-finished
	return nil
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.root)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /metrics", s.metrics)
	return mux
}

func (s *service) root(w http.ResponseWriter, r *http.Request) {
	if !s.workers.work(r.Context()) {
		return
	}
	code := http.StatusOK
	if rand.Float64() < s.errorRatio {
		code = http.StatusInternalServerError
	}
	s.requests.add(strconv.Itoa(code))
	w.WriteHeader(code)
	if code == http.StatusOK {
		fmt.Fprintln(w, "ok", s.version)
	}
}

func (s *service) healthz(w http.ResponseWriter, _ *http.Request) {
	if s.unready {
		http.Error(w, "UNREADY=1", http.StatusServiceUnavailable)
	}
}

func (s *service) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	s.requests.write(w)
	s.workers.write(w)
	writeDescriptors(w)
	gauge := func(name string, value any) { fmt.Fprintf(w, "# TYPE %s gauge\n%s %v\n", name, name, value) }
	gauge("process_start_time_seconds", s.started.Unix())
	gauge("process_resident_memory_bytes", residentBytes())
	gauge("go_goroutines", runtime.NumGoroutine())
	fmt.Fprintf(w, "# TYPE service_info gauge\nservice_info{version=%q} 1\n", s.version)
}

func residentBytes() int {
	var total, resident int
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		_, _ = fmt.Sscan(string(text), &total, &resident)
	}
	return resident * os.Getpagesize()
}
