package loader

import (
	"os"
	"strings"
)

// musl's loader (ldso/dynlink.c: load_library) has no cache, obeys LD_LIBRARY_PATH before anything else, and makes no
// difference between DT_RPATH and DT_RUNPATH: both hold for what a library needs in turn.

const muslPathFile = "/etc/ld-musl-x86_64.path"

var muslDefault = []string{"/lib", "/usr/local/lib", "/usr/lib"}

// musl reports whether the program asks for musl's loader.
func (w *World) musl() bool {
	if w.style == "" {
		w.style = "glibc"
		if f, err := Open(w.Abs(w.Program)); err == nil && strings.Contains(f.Interpreter, "ld-musl") {
			w.style = "musl"
		}
	}
	return w.style == "musl"
}

func (w *World) findMusl(try func(from, dir string) bool, chain []*File) {
	if !w.Secure {
		for _, dir := range splitPath(w.getenv("LD_LIBRARY_PATH")) {
			if try("LD_LIBRARY_PATH", dir) {
				return
			}
		}
	}
	for _, f := range chain {
		paths, name := f.RunPath, "RUNPATH of "
		if len(paths) == 0 {
			paths, name = f.RPath, "RPATH of "
		}
		for _, dir := range paths {
			if try(name+f.Path, w.expand(dir, f)) {
				return
			}
		}
	}
	dirs, from := muslDefault, Default
	if data, err := os.ReadFile(muslPathFile); err == nil {
		dirs, from = strings.FieldsFunc(string(data), func(r rune) bool { return r == ':' || r == '\n' }), muslPathFile
	}
	for _, dir := range dirs {
		if try(from, dir) {
			return
		}
	}
}
