package main

import (
	"fmt"
	"io"
	"sort"
	"sync"
)

// counters is a counter vector with one label, code, in Prometheus' text format.
type counters struct {
	name, help string
	mutex      sync.Mutex
	values     map[string]uint64
}

func newCounters(name, help string, codes ...string) *counters {
	c := &counters{name: name, help: help, values: map[string]uint64{}}
	for _, code := range codes {
		c.values[code] = 0 // a rate needs the first sample to be there before the first event
	}
	return c
}

func (c *counters) add(code string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.values[code]++
}

func (c *counters) snapshot() map[string]uint64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	copied := make(map[string]uint64, len(c.values))
	for code, value := range c.values {
		copied[code] = value
	}
	return copied
}

func (c *counters) write(out io.Writer) {
	values := c.snapshot()
	codes := make([]string, 0, len(values))
	for code := range values {
		codes = append(codes, code)
	}
	sort.Strings(codes)
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s counter\n", c.name, c.help, c.name)
	for _, code := range codes {
		fmt.Fprintf(out, "%s{code=%q} %d\n", c.name, code, values[code])
	}
}
