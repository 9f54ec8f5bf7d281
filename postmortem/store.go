package postmortem

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// StoreDir is where meshdiag handler keeps cores unless told otherwise.
const StoreDir = "/var/lib/meshdiag/cores"

const (
	storeLog   = "handler.log"
	maxLog     = 256 << 10 // a longer log is renamed to handler.log.old first
	maxLogLine = 1 << 10
	coreSuffix = ".core.zst"
)

// Store is a folder of compressed cores with their reports, owned by one user and readable for nobody else. All its files
// are reached through the open folder and no link is followed, neither on the way to the folder nor in it: the handler runs
// as root while the names come from the programs that crash.
type Store struct {
	dir  int // file descriptor of the folder
	path string
}

// Dump says which process a core is of, as the kernel told the handler (core(5)).
type Dump struct {
	Name    string         // %e: chosen by the process
	PID     int            // %P
	Time    int64          // %t, seconds since 1970
	Signal  int            // %s; 0 unknown
	Process *crash.Process // what else is known of it, in the machine's numbers; nil nothing
}

// Stem is the name that the files of a dump share: NAME.PID.TIME.
func (d Dump) Stem() string {
	return fmt.Sprintf("%s.%d.%d", safeName(d.Name), max(d.PID, 0), max(d.Time, 0))
}

// Stored is what became of a core.
type Stored struct {
	Path string
	Read int64  // bytes of the core that were read and are kept
	Cut  string // why it is not the whole core; "" when it is
}

// safeName makes a file name of any bytes: no slash, no dot or hyphen at its start, at most 64 characters.
func safeName(name string) string {
	name = name[:min(len(name), 64)]
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._+-", r):
			return r
		}
		return '_'
	}, name)
	if name == "" {
		return "unknown"
	}
	if name[0] == '.' || name[0] == '-' {
		name = "_" + name[1:]
	}
	return name
}

// OpenStore opens the folder, and creates what is missing of it, readable for its owner only. It refuses a path with a link
// in it and a folder that somebody else could write to.
func OpenStore(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	dir, err := unix.Open("/", flags, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/", Err: err}
	}
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		next, err := unix.Openat(dir, part, flags, 0)
		if errors.Is(err, unix.ENOENT) {
			if err = unix.Mkdirat(dir, part, 0o700); err == nil || errors.Is(err, unix.EEXIST) {
				next, err = unix.Openat(dir, part, flags, 0)
			}
		}
		unix.Close(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %s cannot be opened as a folder that is no link: %w", path, part, err)
		}
		dir = next
	}
	s := &Store{dir: dir, path: path}
	if err := s.private(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) private() error {
	var st unix.Stat_t
	if err := unix.Fstat(s.dir, &st); err != nil {
		return &os.PathError{Op: "stat", Path: s.path, Err: err}
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s: others can write to this folder (owner %d, mode %04o): no core is stored in it", s.path, st.Uid, st.Mode&0o7777)
	}
	return nil
}

// Close releases the folder.
func (s *Store) Close() error { return unix.Close(s.dir) }

// Put compresses a core from a stream into the store, in one piece or not at all. It stops after maxSize bytes, and when r
// fails, with os.ErrDeadlineExceeded or otherwise: what came before is kept and Cut says why that is not all. An empty
// stream and a failure to write are errors and leave nothing behind.
func (s *Store) Put(r io.Reader, d Dump, maxSize int64) (Stored, error) {
	var got Stored
	name := d.Stem() + coreSuffix
	err := s.replace(name, func(f *os.File) error {
		n, cut, err := compress(f, r, maxSize, originFrame(d))
		got = Stored{Path: filepath.Join(s.path, name), Read: n, Cut: cut}
		if err == nil && n == 0 {
			return errors.New("nothing came on stdin")
		}
		return err
	})
	return got, err
}

// Report opens the file for a report beside a core, for writing by fill; it appears in one piece or not at all.
func (s *Store) Report(d Dump, suffix string, fill func(io.Writer) error) error {
	return s.replace(d.Stem()+suffix, func(f *os.File) error { return fill(f) })
}

// compress copies at most maxSize bytes of r to w as zstd, and behind them a frame of its own and a mark of how many they were.
func compress(w io.Writer, r io.Reader, maxSize int64, frame []byte) (n int64, cut string, err error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return 0, "", err
	}
	in := &keepError{r: r}
	n, err = io.CopyBuffer(struct{ io.Writer }{z}, io.LimitReader(in, maxSize), make([]byte, 256<<10))
	if err != nil && in.err == nil {
		return n, "", err
	}
	switch {
	case errors.Is(in.err, os.ErrDeadlineExceeded):
		cut = fmt.Sprintf("the time to store it was over after %d bytes", n)
	case in.err != nil:
		cut = fmt.Sprintf("reading it failed after %d bytes: %v", n, in.err)
	case n == maxSize && more(r):
		cut = fmt.Sprintf("it is larger than the %d bytes that are stored of one core", maxSize)
	}
	if err := z.Close(); err != nil {
		return n, "", err
	}
	_, err = w.Write(append(frame, sizeMark(uint64(n))...))
	return n, cut, err
}

func more(r io.Reader) bool {
	var one [1]byte
	n, _ := io.ReadFull(r, one[:])
	return n > 0
}

// keepError tells errors of reading from those of writing.
type keepError struct {
	r   io.Reader
	err error
}

func (k *keepError) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && err != io.EOF {
		k.err = err
	}
	return n, err
}

// replace writes a file under a temporary name and renames it when fill is done. The rename replaces a link of that name
// and does not follow it.
func (s *Store) replace(name string, fill func(*os.File) error) error {
	temp := fmt.Sprintf("%s%d-%d%s", tempPrefix, os.Getpid(), time.Now().UnixNano(), tempSuffix)
	f, err := s.open(temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	err = fill(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = unix.Renameat(s.dir, temp, s.dir, name)
	}
	if err != nil {
		unix.Unlinkat(s.dir, temp, 0)
		return fmt.Errorf("%s was not written: %w", filepath.Join(s.path, name), diskFull(err))
	}
	return nil
}

func (s *Store) open(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(s.dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join(s.path, name), Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(s.path, name)), nil
}

// Log adds a line with the time to the store's log, which keeps between 256 and 512 KiB.
func (s *Store) Log(line string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(s.dir, storeLog, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil && st.Size > maxLog {
		if err := unix.Renameat(s.dir, storeLog, s.dir, storeLog+".old"); err != nil {
			return err
		}
	}
	f, err := s.open(storeLog, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT)
	if err != nil {
		return err
	}
	defer f.Close()
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, line[:min(len(line), maxLogLine)])
	_, err = fmt.Fprintf(f, "%s %s\n", time.Now().UTC().Format(time.RFC3339), line)
	return err
}
