package loader

import (
	"context"
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxListed bounds the entries that are read of one folder.
const maxListed = 4096

// nearby are folders, relative to the program's, in which builds leave their libraries.
var nearby = []string{".", "lib", "lib64", "libs", "deps", "build", "..", "../lib", "../lib64", "../libs", "../build",
	"target/debug", "target/release", "../target/debug", "../target/release", "../debug", "../release"}

// usual are folders, beside the loader's own, in which machines keep libraries. A * stands for one folder.
var usual = []string{"/usr/local/lib", "/usr/local/lib64", "/usr/local/lib/*", "/opt/*/lib", "/opt/*/lib64", "/opt/lib",
	"/usr/lib/*", "/usr/lib/x86_64-linux-gnu/*", "/usr/lib64/*", "/usr/lib32", "/usr/libx32", "/snap/*/current/usr/lib/x86_64-linux-gnu"}

// folders lists where on this machine a library may lie that the loader did not find: first near the program and in its
// working directory, then in the usual places. Each is there once.
func (w *World) folders() []string {
	var out []string
	seen := map[string]bool{}
	add := func(dir string) {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || seen[real] {
			return
		}
		if st, err := os.Stat(real); err != nil || !st.IsDir() {
			return
		}
		seen[real] = true
		out = append(out, filepath.Clean(dir))
	}
	for _, base := range []string{filepath.Dir(w.Abs(w.Program)), w.Dir} {
		for _, dir := range nearby {
			add(filepath.Join(base, dir))
		}
	}
	for _, dir := range append(slices.Clone(defaultDirs), usual...) {
		if !strings.Contains(dir, "*") {
			add(dir)
			continue
		}
		list, _ := filepath.Glob(dir)
		for _, d := range list[:min(len(list), maxListed)] {
			add(d)
		}
	}
	for _, e := range w.libraries() {
		add(filepath.Dir(e.path))
	}
	return out
}

// Abs is a path as the process means it.
func (w *World) Abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(w.Dir, path)
}

// Elsewhere is what lies on this machine under a library's name or nearly so.
type Elsewhere struct {
	Same   []string // files of that name which are fit for this machine, the nearest first
	Unfit  []Place  // files of that name which are not, and why
	Others []string // fit files of another version: libssl.so.3 for libssl.so.1.1
}

// maxElsewhere bounds each list.
const maxElsewhere = 4

// Elsewhere looks for a library outside of the places where the loader looks. It reads the names in about a hundred
// folders, and the headers of the files that fit.
func (w *World) Elsewhere(ctx context.Context, name string) Elsewhere {
	var out Elsewhere
	base := filepath.Base(name)
	stem, _, versioned := strings.Cut(base, ".so")
	if !versioned {
		stem = base
	}
	for _, dir := range w.folders() {
		if ctx.Err() != nil {
			break
		}
		path := filepath.Join(dir, base)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			if why := Unfit(path); why == "" {
				out.Same = appendFew(out.Same, path)
			} else {
				out.Unfit = append(out.Unfit, Place{Path: path, Met: why})
			}
			continue
		}
		if !versioned {
			continue
		}
		others, _ := filepath.Glob(filepath.Join(escapeGlob(dir), escapeGlob(stem)+".so*"))
		for _, o := range others {
			if len(out.Others) < maxElsewhere && Unfit(o) == "" {
				out.Others = appendFew(out.Others, o)
			}
		}
	}
	return out
}

func appendFew(list []string, path string) []string {
	if len(list) < maxElsewhere {
		list = append(list, path)
	}
	return list
}

// escapeGlob makes a name stand for itself in a pattern.
func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// Definer looks for a library that defines a symbol: files near the program first, then the system's cache. It reads the
// hash table of each, and the symbols of the few that may have it.
func (w *World) Definer(ctx context.Context, name, version string, except map[string]bool) []string {
	var out []string
	seen := map[string]bool{}
	try := func(path string) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || seen[real] || except[real] || ctx.Err() != nil || len(out) >= maxElsewhere {
			return
		}
		seen[real] = true
		if Defines(path, name, version) {
			out = append(out, path)
		}
	}
	for _, base := range []string{filepath.Dir(w.Abs(w.Program)), w.Dir} {
		for _, dir := range nearby {
			list, _ := filepath.Glob(filepath.Join(escapeGlob(filepath.Join(base, dir)), "*.so*"))
			for _, path := range list[:min(len(list), maxListed)] {
				try(path)
			}
		}
	}
	for _, e := range w.libraries() {
		try(e.path)
	}
	return out
}

// Renamed are the symbols of a library that differ from a wanted one only in their first part, up to an underscore: a
// runtime whose functions were given another prefix.
func Renamed(path, name string) (out []string) {
	_, suffix, ok := strings.Cut(name, "_")
	if !ok || len(suffix) < 3 {
		return nil
	}
	_ = fenced(path, func(f *elf.File) error {
		syms, err := f.DynamicSymbols()
		for _, s := range syms {
			prefix, rest, ok := strings.Cut(s.Name, "_")
			if ok && rest == suffix && prefix != "" && s.Name != name && s.Section != elf.SHN_UNDEF && len(out) < maxElsewhere {
				out = append(out, s.Name)
			}
		}
		return err
	})
	return out
}
