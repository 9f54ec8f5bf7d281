package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSpacePaths bounds the file systems that are asked.
const maxSpacePaths = 32

// Space checks the file systems on which paths lie: whether one has no block or no inode left for the program's user. cause
// and kind are what a full one points to.
func Space(paths []string, cause, kind string) []Check {
	var out []Check
	asked := map[unix.Fsid]bool{}
	for _, path := range paths[:min(len(paths), maxSpacePaths)] {
		path = existing(path)
		var fs unix.Statfs_t
		if unix.Statfs(path, &fs) != nil || asked[fs.Fsid] && fs.Fsid != (unix.Fsid{}) {
			continue
		}
		asked[fs.Fsid] = true
		if c, ok := full(path, &fs); ok {
			c.Cause, c.Kind = cause, kind
			out = append(out, c)
		}
	}
	if len(out) == 0 && len(asked) > 0 {
		out = append(out, passed("space", "the file systems that the program uses have space left now"))
	}
	return out
}

// existing is the nearest folder of a path that is there.
func existing(path string) string {
	for path != "/" && path != "." {
		if _, err := os.Lstat(path); err == nil {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

func full(path string, fs *unix.Statfs_t) (Check, bool) {
	const id = "space"
	size := bytesText(fs.Blocks * uint64(fs.Bsize))
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		path = filepath.Dir(path)
	}
	next := []string{"df -h " + shellQuote(path) + "; du -xh --max-depth=1 " + shellQuote(path) + " | sort -h | tail"}
	switch {
	case fs.Flags&unix.ST_RDONLY != 0 || fs.Blocks == 0:
		return Check{}, false
	case fs.Bavail == 0:
		if fs.Type == unix.TMPFS_MAGIC {
			next = append(next, "it lies in memory (tmpfs): mount -o remount,size=... , docker run --shm-size")
		}
		return Check{ID: id, Detail: fmt.Sprintf("the file system of %s is full: none of its %s is free", path, size), Next: next}, true
	case fs.Files > 0 && fs.Ffree == 0:
		return Check{ID: id, Detail: fmt.Sprintf("the file system of %s has no inode left: it holds %d files", path, fs.Files),
			Next: []string{"df -i " + shellQuote(path)}}, true
	}
	return Check{}, false
}

// OpenFiles lists the paths that a process has open, and its working directory.
func OpenFiles(pid int) []string {
	dir := fmt.Sprintf("/proc/%d", pid)
	var out []string
	if cwd, err := os.Readlink(dir + "/cwd"); err == nil {
		out = append(out, cwd)
	}
	entries, _ := os.ReadDir(dir + "/fd")
	for _, e := range entries[:min(len(entries), maxSpacePaths)] {
		if to, err := os.Readlink(filepath.Join(dir, "fd", e.Name())); err == nil && strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "/dev/") && !strings.HasPrefix(to, "/proc/") {
			out = append(out, strings.TrimSuffix(to, " (deleted)"))
		}
	}
	return out
}
