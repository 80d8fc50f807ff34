package main

import (
	"math"
	"os"
	"syscall"
	"time"
)

// Small enough that a scrape sees a slope and not steps.
const step = 200 * time.Millisecond

// holdMemory follows the wished-for curve: base + leaked + sawtooth.
func holdMemory(b behaviour) {
	arena := &arena{}
	started := time.Now()
	for ; ; time.Sleep(step) {
		seconds := time.Since(started).Seconds()
		noise := math.Mod(seconds, b.noisePeriod) / b.noisePeriod * b.noiseBytes
		arena.resize(int(b.baseBytes + b.leaked(seconds) + noise))
	}
}

// leaked is what has been leaked so many seconds after the start: in a straight line, or faster and
// faster, in one go or in steps, for ever or up to what a healthy program fills when it warms up.
func (b behaviour) leaked(seconds float64) float64 {
	since := math.Max(0, seconds-b.leakAfter)
	bytes := b.leakBytes * since
	if b.leakDoubling > 0 { // the rate doubles: its integral
		bytes = b.leakBytes * b.leakDoubling / math.Ln2 * math.Expm1(since/b.leakDoubling*math.Ln2)
	}
	if b.leakStep > 0 {
		bytes = math.Floor(bytes/b.leakStep) * b.leakStep
	}
	if b.leakMost > 0 {
		bytes = math.Min(bytes, b.leakMost)
	}
	return bytes
}

// arena holds memory outside Go's heap: the garbage collector would neither give pages back
// at once nor let the working set follow the curve.
type arena struct {
	pages [][]byte
}

const chunk = 64 << 10

func (a *arena) resize(bytes int) {
	wanted := bytes / chunk
	for len(a.pages) < wanted {
		page, err := syscall.Mmap(-1, 0, chunk, syscall.PROT_READ|syscall.PROT_WRITE,
			syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			return // the limit is near; the kernel decides, as it would for any program
		}
		for offset := 0; offset < len(page); offset += os.Getpagesize() {
			page[offset] = 1 // only touched pages count
		}
		a.pages = append(a.pages, page)
	}
	for len(a.pages) > wanted {
		last := len(a.pages) - 1
		_ = syscall.Munmap(a.pages[last])
		a.pages = a.pages[:last]
	}
}
