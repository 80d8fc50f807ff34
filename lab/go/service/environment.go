package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// behaviour is what the environment asks of the service.
type behaviour struct {
	version      string
	errorRatio   float64 // ERROR_RATIO, 0…1: share of requests to / answered with 500
	unready      bool    // UNREADY=1: /healthz answers 503
	exitAfter    float64 // EXIT_AFTER_SECONDS: crash with code 1
	baseBytes    float64 // BASE_BYTES: held from the start
	leakBytes    float64 // LEAK_BYTES_PER_SECOND: never given back
	leakAfter    float64 // LEAK_AFTER_SECONDS: it begins so long after the start
	leakDoubling float64 // LEAK_DOUBLING_SECONDS: its rate doubles in so many seconds; 0 for never
	leakStep     float64 // LEAK_STEP_BYTES: so much at a time
	leakMost     float64 // LEAK_MAX_BYTES: and no more than that; 0 for no end
	noiseBytes   float64 // NOISE_BYTES: a sawtooth of this height on top, as a healthy service has
	noisePeriod  float64 // NOISE_PERIOD_SECONDS: length of one tooth
	leakFiles    float64 // LEAK_DESCRIPTORS_PER_SECOND: opened and never closed
	maxFiles     float64 // MAX_DESCRIPTORS: how many it may have open; 0 for what the runtime gives
	workers      float64 // WORKERS: requests worked on at a time, the others wait; 0 for no bound
	workSeconds  float64 // WORK_SECONDS: how long each takes a worker
}

func readEnvironment() (behaviour, error) {
	b := behaviour{version: os.Getenv("VERSION"), unready: os.Getenv("UNREADY") == "1"}
	for _, setting := range []struct {
		name     string
		fallback float64
		target   *float64
	}{
		{"ERROR_RATIO", 0, &b.errorRatio},
		{"EXIT_AFTER_SECONDS", 0, &b.exitAfter},
		{"BASE_BYTES", 0, &b.baseBytes},
		{"LEAK_BYTES_PER_SECOND", 0, &b.leakBytes},
		{"LEAK_AFTER_SECONDS", 0, &b.leakAfter},
		{"LEAK_DOUBLING_SECONDS", 0, &b.leakDoubling},
		{"LEAK_STEP_BYTES", 0, &b.leakStep},
		{"LEAK_MAX_BYTES", 0, &b.leakMost},
		{"NOISE_BYTES", 0, &b.noiseBytes},
		{"NOISE_PERIOD_SECONDS", 60, &b.noisePeriod},
		{"LEAK_DESCRIPTORS_PER_SECOND", 0, &b.leakFiles},
		{"MAX_DESCRIPTORS", 0, &b.maxFiles},
		{"WORKERS", 0, &b.workers},
		{"WORK_SECONDS", 0, &b.workSeconds},
	} {
		value, err := number(os.Getenv(setting.name), setting.fallback)
		if err != nil {
			return b, fmt.Errorf("%s: %w", setting.name, err)
		}
		*setting.target = value
	}
	return b, nil
}

// number reads 1048576, 1.5, 64Ki, 10Mi or 1Gi.
func number(text string, fallback float64) (float64, error) {
	if text == "" {
		return fallback, nil
	}
	factor := 1.0
	for suffix, size := range map[string]float64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30} {
		if strings.HasSuffix(text, suffix) {
			text, factor = strings.TrimSuffix(text, suffix), size
			break
		}
	}
	value, err := strconv.ParseFloat(text, 64)
	return value * factor, err
}
