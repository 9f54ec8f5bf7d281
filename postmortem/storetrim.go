package postmortem

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/lazyregexp"
)

const (
	tempPrefix = ".meshdiag-"
	tempSuffix = ".part"
	staleAfter = time.Hour // no handler lives that long: its temporary file was left behind when it was killed
)

var (
	storedFile = lazyregexp.New(`^([A-Za-z0-9_+][A-Za-z0-9._+-]{0,63}\.[0-9]+\.([0-9]+))\.(core\.zst|txt|json)$`)
	tempFile   = lazyregexp.New(`^\.meshdiag-[0-9]+-[0-9]+\.part$`)
)

// kept is a dump in the store: its core and reports.
type kept struct {
	time  int64
	size  int64 // bytes on disk
	files []string
}

// Trim removes the oldest cores, each with its reports, until the others take at most total bytes. Only regular files with
// the names that the store gives are counted and removed, and those of spare never.
func (s *Store) Trim(total int64, spare Dump) error {
	dumps, failed := s.list()
	var sum int64
	stems := make([]string, 0, len(dumps))
	for stem, k := range dumps {
		sum += k.size
		if stem != spare.Stem() {
			stems = append(stems, stem)
		}
	}
	slices.SortFunc(stems, func(a, b string) int {
		if d := dumps[a].time - dumps[b].time; d != 0 {
			return int(max(-1, min(1, d)))
		}
		return slices.Compare([]byte(a), []byte(b))
	})
	for _, stem := range stems {
		if sum <= total {
			break
		}
		for _, name := range dumps[stem].files {
			if err := unix.Unlinkat(s.dir, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
				failed = errors.Join(failed, &os.PathError{Op: "remove", Path: name, Err: err})
			}
		}
		sum -= dumps[stem].size
	}
	return failed
}

// list finds the store's dumps by stem, and removes temporary files that were left behind.
func (s *Store) list() (map[string]*kept, error) {
	f, err := s.open(".", unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	dumps := map[string]*kept{}
	for _, name := range names {
		m, temp := storedFile().FindStringSubmatch(name), tempFile().MatchString(name)
		var st unix.Stat_t
		if m == nil && !temp || unix.Fstatat(s.dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if temp {
			if time.Since(time.Unix(st.Mtim.Unix())) > staleAfter {
				unix.Unlinkat(s.dir, name, 0)
			}
			continue
		}
		k := dumps[m[1]]
		if k == nil {
			k = &kept{}
			k.time, _ = strconv.ParseInt(m[2], 10, 64) // a number that is too large sorts as the newest
			dumps[m[1]] = k
		}
		k.size += st.Blocks * 512
		k.files = append(k.files, name)
	}
	return dumps, err
}
