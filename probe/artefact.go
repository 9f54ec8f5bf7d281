package probe

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
)

const causeStale = "stale-artifact"

// maxMatches bounds what one pattern may name.
const maxMatches = 64

// clockGrain is how much newer a file must be to count: builds write an input and its product within the same second on
// file systems that keep whole seconds.
const clockGrain = time.Second

// Fresh checks that an executable is not older than what it was made of, as far as that lies beside it: the inputs and
// archives of the profile. It costs a few stat calls. ok is false when nothing of that was found.
func Fresh(exe string, a profile.Artefacts) (c Check, ok bool) {
	const id = "artefact-fresh"
	program, err := os.Stat(exe)
	if err != nil {
		return Check{}, false
	}
	var newer, seen []string
	for _, pattern := range append(a.Inputs[:len(a.Inputs):len(a.Inputs)], a.Archives...) {
		pattern = strings.ReplaceAll(pattern, "{exe}", filepath.Base(exe))
		for path, info := range matches(filepath.Dir(exe), pattern) {
			seen = append(seen, path)
			if lag := info.ModTime().Sub(program.ModTime()); lag >= clockGrain {
				newer = append(newer, fmt.Sprintf("%s by %s", path, roughly(lag)))
			}
		}
	}
	switch {
	case len(seen) == 0:
		return Check{}, false
	case len(newer) == 0:
		return passed(id, "the program is newer than %s", list(seen)), true
	}
	return Check{ID: id, Detail: fmt.Sprintf("the program %s is older than what it is made of: %s is newer", exe, strings.Join(newer, ", and ")),
		Cause: causeStale, Next: []string{"build the program again, and run that"}}, true
}

// matches are the files that a pattern names. A plain path costs one stat.
func matches(dir, pattern string) map[string]fs.FileInfo {
	path := filepath.Join(dir, pattern)
	paths := []string{path}
	if strings.ContainsAny(pattern, "*?[") {
		paths, _ = filepath.Glob(path)
	}
	found := map[string]fs.FileInfo{}
	for _, p := range paths[:min(len(paths), maxMatches)] {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			found[p] = info
		}
	}
	return found
}

// roughly is a duration for people.
func roughly(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Replaced checks that no executable file was deleted or replaced while the process ran: then what ran is not what lies
// on the disk. ok is false when that cannot be told.
func Replaced(mappings []crash.Mapping) (c Check, ok bool) {
	const id = "artefact-replaced"
	for _, m := range mappings {
		if m.Perms&crash.Exec == 0 || !strings.HasPrefix(m.Path, "/") {
			continue
		}
		ok = true
		if !m.Deleted || strings.HasPrefix(m.Path, "/memfd:") || strings.HasPrefix(m.Path, "/dev/") {
			continue
		}
		c := Check{ID: id, Cause: causeStale, Next: []string{"start the program again"}}
		if _, err := os.Stat(m.Path); err == nil {
			c.Detail = fmt.Sprintf("%s was replaced while the program ran: what failed is the older file, not the one that lies there now", m.Path)
		} else {
			c.Detail = fmt.Sprintf("%s was deleted while the program ran", m.Path)
		}
		return c, true
	}
	return passed(id, "the files that were mapped are still the ones on the disk"), ok
}
