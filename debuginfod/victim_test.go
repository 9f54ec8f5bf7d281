package debuginfod

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"meshdiag/symbols"
)

// victim is a program, its stripped form, and its debug information, as distributions split them.
type victim struct{ whole, stripped, debug, id string }

func build(t *testing.T) (v victim) {
	t.Helper()
	dir := t.TempDir()
	v = victim{whole: filepath.Join(dir, "server"), stripped: filepath.Join(dir, "server.stripped"), debug: filepath.Join(dir, "server.debug")}
	source := filepath.Join(dir, "server.c")
	if err := os.WriteFile(source, []byte("int main(int argc, char **argv) { return argc > 1; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{
		{"cc", "-g", "-Wl,--build-id", "-o", v.whole, source},
		{"strip", "-o", v.stripped, v.whole},
		{"objcopy", "--only-keep-debug", v.whole, v.debug},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
	}
	var err error
	if v.id, err = symbols.BuildID(v.whole); err != nil || v.id == "" {
		t.Fatalf("build ID %q, %v", v.id, err)
	}
	return v
}

func (v victim) request(k Kind) Request { return Request{Kind: k, BuildID: v.id, Name: "server"} }
