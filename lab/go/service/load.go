package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// load sends requests at a rate that only the clock changes, whatever the answers: a slow service
// must not slow its users down in the count of what failed.
func load(arguments []string) error {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	url := flags.String("url", os.Getenv("URL"), "what to request (or $URL)")
	rps := flags.Float64("rps", 20, "requests per second")
	to := flags.Float64("to", 0, "requests per second in the end; 0 for no change")
	over := flags.Duration("over", 0, "how long the rate takes from -rps to -to, in a straight line")
	timeout := flags.Duration("timeout", 2*time.Second, "a slower answer counts as failed, code timeout")
	duration := flags.Duration("duration", 0, "stop after this long; 0 goes on until SIGTERM")
	listen := flags.String("listen", ":8080", "address for /metrics; empty for none")
	_ = flags.Parse(arguments)
	if *url == "" || *rps <= 0 || *to < 0 {
		return fmt.Errorf("load needs -url, a positive -rps, and no negative -to")
	}
	if *to == 0 {
		*to = *rps
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if *duration > 0 {
		stop, cancel = context.WithTimeout(stop, *duration)
		defer cancel()
	}
	g := newGenerator(*url, *timeout)
	if *listen != "" {
		go g.expose(*listen)
	}
	g.run(stop, ramp{*rps, *to, *over})
	return nil
}

type generator struct {
	url     string
	client  *http.Client
	answers *counters
}

func newGenerator(url string, timeout time.Duration) *generator {
	// A connection for each request, as new users would come: a kept one stays with its pod
	// and would hide what the Service does.
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Timeout: timeout, Transport: transport}
	codes := []string{"200", "500", "503", "timeout", "refused"}
	return &generator{url, client, newCounters("load_requests_total", "Requests sent, by answer.", codes...)}
}

// ramp is a rate in requests per second that goes from one to another in a straight line.
type ramp struct {
	from, to float64
	over     time.Duration
}

func (r ramp) rate(since time.Duration) float64 {
	if since >= r.over {
		return r.to
	}
	return r.from + (r.to-r.from)*since.Seconds()/r.over.Seconds()
}

func (g *generator) run(stop context.Context, r ramp) {
	began := time.Now()
	next := began // of the next request; one that is late is made up for
	request, report := time.NewTimer(0), time.NewTicker(time.Second)
	defer request.Stop()
	defer report.Stop()
	for {
		select {
		case <-request.C:
			go g.send()
			next = next.Add(time.Duration(float64(time.Second) / r.rate(next.Sub(began))))
			request.Reset(time.Until(next))
		case <-report.C:
			g.print()
		case <-stop.Done():
			g.print()
			return
		}
	}
}

func (g *generator) send() {
	answer, err := g.client.Get(g.url)
	switch {
	case os.IsTimeout(err):
		g.answers.add("timeout")
	case err != nil:
		g.answers.add("refused")
	default:
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		g.answers.add(strconv.Itoa(answer.StatusCode))
	}
}

// print writes one line of totals: {"time":…,"succeeded":…,"failed":…,"codes":{…}}.
func (g *generator) print() {
	codes := g.answers.snapshot()
	var succeeded, failed uint64
	for code, count := range codes {
		if code[0] == '2' {
			succeeded += count
		} else {
			failed += count
		}
	}
	line := map[string]any{
		"time": time.Now().UTC().Format(time.RFC3339Nano), "succeeded": succeeded, "failed": failed, "codes": codes,
	}
	_ = json.NewEncoder(os.Stdout).Encode(line)
}

func (g *generator) expose(address string) {
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		g.answers.write(w)
	})
	if err := http.ListenAndServe(address, nil); err != nil {
		fmt.Fprintln(os.Stderr, "akeso-lab-service: no /metrics:", err)
	}
}
