package postmortem

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Stdin is the path by which Open reads a core from standard input.
const Stdin = "-"

// writerComes is how long somebody may take to open the other end of a named pipe.
const writerComes = 2 * time.Second

// spooled copies what comes through a pipe into a file that has no name any more: a core is read in no order, and nothing
// stays behind when meshdiag ends, however that is. Pages of zeros become holes.
func spooled(pipe *os.File) (f *os.File, err error) {
	f, err = os.CreateTemp("", "meshdiag-core-*")
	if err != nil {
		return nil, fmt.Errorf("a core that comes through a pipe is kept in a temporary file: %v", err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	buf, zeros := make([]byte, 256<<10), make([]byte, 256<<10)
	size := int64(0)
	for start := time.Now(); ; {
		n, err := io.ReadFull(pipe, buf)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := f.WriteAt(buf[:n], size); err != nil {
				return nil, fmt.Errorf("the core does not fit into %s (TMPDIR chooses another place): %w", os.TempDir(), errors.Unwrap(err))
			}
		}
		size += int64(n)
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			return nil, err
		case size == 0 && pipe != os.Stdin && time.Since(start) < writerComes:
			time.Sleep(10 * time.Millisecond) // nobody writes yet
		case size == 0:
			return nil, &NotACoreError{"nothing came through this pipe"}
		default:
			return f, f.Truncate(size)
		}
	}
}
