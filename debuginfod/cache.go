package debuginfod

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cache is a folder as elfutils' client lays it out (debuginfod/debuginfod-client.c): BUILDID/executable and
// BUILDID/debuginfo, and files with numbers that say how long things are kept. A file that no server has is remembered as an
// empty one, in versions before 0.186 as one that nobody may read.
type cache struct {
	dir     string
	buildID func(path string) (string, error)
}

// The control files and what holds without them (debuginfod-find(1), "CACHE"), in seconds.
const (
	missFile, missDefault         = "cache_miss_s", 600
	intervalFile, intervalDefault = "cache_clean_interval_s", 86400
	unusedFile, unusedDefault     = "max_unused_age_s", 604800
)

// state is what the cache knows of a file.
type state int

const (
	unasked state = iota
	held          // it is there, and it is what it should be
	missed        // a short while ago no server had it
)

// localError is a failure of the cache's folder, not of a server.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }

func (c *cache) path(q Request) string { return filepath.Join(c.dir, q.BuildID, string(q.Kind)) }

// look finds a file and marks it as used.
func (c *cache) look(q Request, now time.Time) (string, state) {
	path := c.path(q)
	info, err := os.Stat(path)
	switch {
	case err != nil || !info.Mode().IsRegular():
		return "", unasked
	case info.Size() == 0 || info.Mode().Perm() == 0:
		if age := now.Sub(info.ModTime()); age < c.control(missFile, missDefault) {
			return "", missed
		}
		return "", unasked
	case c.check(path, q) != nil:
		return "", unasked
	}
	_ = os.Chtimes(path, now, info.ModTime()) // for whoever cleans the cache; a read-only one serves as well
	return path, held
}

// control reads the number of seconds in a control file.
func (c *cache) control(name string, otherwise int64) time.Duration {
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		return secondsOf(otherwise)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 0 {
		return secondsOf(otherwise)
	}
	return secondsOf(n)
}

// check makes sure that the file at path is the one that was asked for.
func (c *cache) check(path string, q Request) error {
	id, err := c.buildID(path)
	switch {
	case err != nil:
		return fmt.Errorf("what it sent cannot be used: %w", err)
	case id == "":
		return fmt.Errorf("what it sent has no build ID")
	case id != q.BuildID:
		return fmt.Errorf("what it sent is another file, with the build ID %s", id)
	}
	return nil
}

// store puts a file into the cache under a temporary name and gives it its own when it is complete and checked.
func (c *cache) store(q Request, from io.Reader) (path string, err error) {
	path = c.path(q)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", &localError{err}
	}
	tmp, err := os.CreateTemp(dir, string(q.Kind)+".*")
	if err != nil {
		return "", &localError{err}
	}
	defer func() {
		tmp.Close()
		if err != nil {
			os.Remove(tmp.Name())
			os.Remove(dir) // if it is empty
		}
	}()
	if err := copyBody(tmp, from); err != nil {
		return "", err
	}
	if err := c.check(tmp.Name(), q); err != nil {
		return "", err
	}
	if err := tmp.Chmod(0o400); err != nil { // as elfutils does
		return "", &localError{err}
	}
	if err := tmp.Close(); err != nil {
		return "", &localError{err}
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return "", &localError{err}
	}
	return path, nil
}

// copyBody copies all of from, and tells failures of the disk from those of the network.
func copyBody(to io.Writer, from io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil && err != io.EOF {
			return err
		}
		if _, failed := to.Write(buf[:n]); failed != nil {
			return &localError{failed}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// remember notes that no server has a file. Where that cannot be written they are asked again next time.
func (c *cache) remember(q Request) {
	path := c.path(q)
	if os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		return
	}
	_ = os.Remove(path) // one that is too old, or damaged
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		f.Close()
	}
}

// clean removes what nobody used for long, once in a while, as each client of a shared cache does.
func (c *cache) clean(now time.Time) {
	interval := filepath.Join(c.dir, intervalFile)
	info, err := os.Stat(interval)
	if err != nil {
		if os.MkdirAll(c.dir, 0o700) == nil {
			_ = os.WriteFile(interval, []byte(strconv.Itoa(intervalDefault)), 0o600)
		}
		return
	}
	if now.Sub(info.ModTime()) < c.control(intervalFile, intervalDefault) {
		return
	}
	_ = os.Chtimes(interval, now, now)
	unused := c.control(unusedFile, unusedDefault)
	folders, _ := os.ReadDir(c.dir)
	for _, folder := range folders {
		if folder.IsDir() && isHex(folder.Name()) {
			cleanFolder(filepath.Join(c.dir, folder.Name()), now.Add(-unused))
		}
	}
}

// isHex tells the folders of build IDs from whatever else somebody keeps there.
func isHex(s string) bool {
	return len(s) >= 4 && strings.Trim(s, "0123456789abcdef") == ""
}

// cleanFolder removes the files that nobody used since the limit, and the folder when it is then empty.
func cleanFolder(dir string, limit time.Time) {
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		used := info.ModTime()
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			used = time.Unix(st.Atim.Unix())
		}
		if used.Before(limit) {
			os.Remove(filepath.Join(dir, f.Name()))
		}
	}
	os.Remove(dir)
}
