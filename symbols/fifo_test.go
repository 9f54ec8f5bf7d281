package symbols

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A core names a path where by now a pipe lies: opening it must not wait for a writer.
func TestOpenELFDoesNotWaitForAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FileSymbols(path, []string{"main"}); err == nil {
		t.Error("a pipe was read as an ELF file")
	}
}
