package main

import (
	"math"
	"os"
	"syscall"
	"time"
)

// Small enough that a scrape sees a slope and not steps.
const step = 200 * time.Millisecond

// holdMemory follows the wished-for curve: base + leak × time + sawtooth.
func holdMemory(b behaviour) {
	arena := &arena{}
	started := time.Now()
	for ; ; time.Sleep(step) {
		seconds := time.Since(started).Seconds()
		noise := math.Mod(seconds, b.noisePeriod) / b.noisePeriod * b.noiseBytes
		arena.resize(int(b.baseBytes + b.leakBytes*seconds + noise))
	}
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
