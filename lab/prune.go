package lab

import (
	"os"
	"path/filepath"
	"sort"
	"time"
)

// The cache keeps what fits into maxKept bytes for each kind of artefact, and everything that was used within keepFor: some other
// process may be running it.
const (
	maxKept = 6 << 30
	keepFor = time.Hour
)

// prune removes the artefacts of a folder that were not used for the longest time, as far as it holds more than limit bytes,
// and none that was used since. What cannot be read or removed is left alone: the cache is only a cache.
func prune(dir string, limit int64, since time.Time) {
	type artefact struct {
		path string
		size int64
		used time.Time
	}
	var all []artefact
	var total int64
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue
		}
		a := artefact{filepath.Join(dir, e.Name()), sizeOf(filepath.Join(dir, e.Name())), info.ModTime()}
		total += a.size
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].used.Before(all[j].used) })
	for _, a := range all {
		if total <= limit || a.used.After(since) {
			return
		}
		if os.RemoveAll(a.path) == nil {
			total -= a.size
		}
	}
}

// sizeOf is the size of the files of an artefact, which has no folders in it.
func sizeOf(dir string) int64 {
	var total int64
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
	}
	return total
}
