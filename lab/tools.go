package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
)

// MissingTool says which program is needed and which Debian package brings it.
type MissingTool struct {
	Tool    string
	Package string
}

func (e *MissingTool) Error() string {
	return fmt.Sprintf("the fault lab needs %s: install it with `apt-get install %s`", e.Tool, e.Package)
}

// clang finds an LLVM that reads opaque pointers by default (15 or newer).
func clang() (string, error) {
	for _, name := range []string{"clang-19", "clang-21", "clang-20", "clang-18", "clang-17", "clang-16", "clang-15"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &MissingTool{"clang (LLVM 15 or newer)", "clang-19"}
}

// linker finds the C compiler that links, as meshc does.
func linker() (string, error) {
	if path, err := exec.LookPath("cc"); err == nil {
		return path, nil
	}
	return "", &MissingTool{"cc", "gcc"}
}

func cargo() (string, error) {
	if path, err := exec.LookPath("cargo"); err == nil {
		return path, nil
	}
	return "", &MissingTool{"cargo (Rust 1.85 or newer)", "cargo"}
}

// postgresTool finds a server program; Debian keeps them out of PATH. Of several versions the newest is taken.
func postgresTool(name string) (string, error) {
	found, _ := filepath.Glob(filepath.Join("/usr/lib/postgresql/*/bin", name))
	if len(found) > 0 {
		sort.Slice(found, func(i, j int) bool {
			return len(found[i]) < len(found[j]) || len(found[i]) == len(found[j]) && found[i] < found[j]
		})
		return found[len(found)-1], nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	return "", &MissingTool{name + " (PostgreSQL server)", "postgresql"}
}

// sourceDir is the folder of the lab's sources: lab/ of the checkout that the working directory is in, or of the one
// this package was compiled from.
func sourceDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the lab's sources: %w", err)
	}
	for {
		if isSource(filepath.Join(dir, "lab")) {
			return filepath.Join(dir, "lab"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	if _, file, _, ok := runtime.Caller(0); ok && isSource(filepath.Dir(file)) {
		return filepath.Dir(file), nil
	}
	return "", fmt.Errorf("the fault lab is built from source: run this inside a meshdiag checkout")
}

func isSource(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "runtime", "Cargo.toml"))
	return err == nil
}
