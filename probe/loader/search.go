package loader

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// World is where a search takes place: what the process that failed had.
type World struct {
	Program string   // path of the program whose loader gave up
	Dir     string   // its working directory
	Env     []string // its environment
	Secure  bool     // set-user-ID or with capabilities: LD_LIBRARY_PATH is ignored

	cache     []entry
	cacheRead bool
	style     string // "glibc" or "musl", once it is known
}

// Place is one place where the loader looks for a library, and what it met there.
type Place struct {
	From string // what names the place, such as "RUNPATH of ./app"
	Path string // the file that was looked for; for the cache the library's name
	Met  string // why the file that is there is passed over; "" when there is none
}

// Found is the outcome of a search.
type Found struct {
	Path   string  // the file that the loader would take; "" none
	Places []Place // where it looked, in order, up to the hit
}

// Default is what a Place is From that no file names.
const Default = "default"

// defaultDirs are the default places of the distributions for x86-64: Debian's come first where they exist.
var defaultDirs = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}

// Find looks for a library as the loader does for a file that needs it. chain is that file and who needed it in turn, up
// to the program: their DT_RPATHs hold for it, too.
func (w *World) Find(name string, chain []*File) Found {
	var out Found
	try := func(from, dir string) bool {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			path = filepath.Join(w.Dir, path)
		}
		p := Place{From: from, Path: path}
		if _, err := os.Stat(path); err == nil {
			if p.Met = Unfit(path); p.Met == "" {
				out.Path = path
			}
		}
		out.Places = append(out.Places, p)
		return out.Path != ""
	}
	if strings.Contains(name, "/") {
		try("the path as it is written", "")
		return out
	}
	if w.musl() {
		w.findMusl(try, chain)
		return out
	}
	var by *File
	if len(chain) > 0 {
		by = chain[0]
	}
	if by == nil || len(by.RunPath) == 0 {
		for _, f := range chain {
			for _, dir := range f.RPath {
				if try("RPATH of "+f.Path, w.expand(dir, f)) {
					return out
				}
			}
		}
	}
	if !w.Secure {
		for _, dir := range splitPath(w.getenv("LD_LIBRARY_PATH")) {
			if try("LD_LIBRARY_PATH", w.expand(dir, by)) {
				return out
			}
		}
	}
	if by != nil {
		for _, dir := range by.RunPath {
			if try("RUNPATH of "+by.Path, w.expand(dir, by)) {
				return out
			}
		}
		if by.NoDefLib {
			return out
		}
	}
	if path, ok := w.cached(name); ok {
		if Unfit(path) == "" {
			out.Path = path
			return out
		}
		out.Places = append(out.Places, Place{From: CachePath, Path: path, Met: Unfit(path)})
	} else {
		out.Places = append(out.Places, Place{From: CachePath, Path: name})
	}
	for _, dir := range defaultDirs {
		if st, err := os.Lstat(dir); err != nil || st.Mode()&os.ModeSymlink != 0 && dir != "/lib64" {
			continue
		}
		if try(Default, dir) {
			return out
		}
	}
	return out
}

// Needed is one library in a program's tree of dependencies.
type Needed struct {
	Name  string
	Chain []*File // who needs it, up to the program
	Found Found
}

// maxTree bounds the libraries of one tree.
const maxTree = 512

// Tree is what the loader would load for the program, in its order (breadth first), each name once. A name that is already
// loaded is not searched again.
func (w *World) Tree() []Needed {
	root, err := Open(w.Program)
	if err != nil {
		return nil
	}
	var out []Needed
	seen := map[string]bool{}
	type job struct {
		name  string
		chain []*File
	}
	var queue []job
	push := func(names []string, chain []*File) {
		for _, n := range names {
			if !seen[n] && len(seen) < maxTree {
				seen[n] = true
				queue = append(queue, job{n, chain})
			}
		}
	}
	push(splitList(w.getenv("LD_PRELOAD")), []*File{root})
	push(root.Needed, []*File{root})
	for len(queue) > 0 {
		j := queue[0]
		queue = queue[1:]
		if root.Interpreter != "" && j.name == filepath.Base(root.Interpreter) {
			continue // the loader itself
		}
		n := Needed{Name: j.name, Chain: j.chain, Found: w.Find(j.name, j.chain)}
		out = append(out, n)
		if n.Found.Path == "" {
			continue
		}
		if f, err := Open(n.Found.Path); err == nil {
			push(f.Needed, append([]*File{f}, j.chain...))
		}
	}
	return out
}

// expand fills in the tokens of a search path: $ORIGIN, $LIB and $PLATFORM (ld.so(8)).
func (w *World) expand(dir string, by *File) string {
	if !strings.Contains(dir, "$") {
		return dir
	}
	origin := w.Dir
	if by != nil {
		path := by.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(w.Dir, path)
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		origin = filepath.Dir(path)
	}
	lib := "lib64"
	if _, err := os.Stat("/lib/x86_64-linux-gnu"); err == nil {
		lib = "lib/x86_64-linux-gnu"
	}
	return strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin, "${LIB}", lib, "$LIB", lib,
		"${PLATFORM}", "x86_64", "$PLATFORM", "x86_64").Replace(dir)
}

func (w *World) getenv(name string) string {
	for _, e := range w.Env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// splitPath splits LD_LIBRARY_PATH; an empty part is the working directory.
func splitPath(s string) []string {
	if s == "" {
		return nil
	}
	return strings.FieldsFunc(strings.ReplaceAll(strings.Trim(s, ":;"), "::", ":.:"), func(r rune) bool { return r == ':' || r == ';' })
}

// splitList splits LD_PRELOAD.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == ' ' })
}

func (w *World) libraries() []entry {
	if !w.cacheRead {
		w.cacheRead, w.cache = true, readCache(CachePath)
	}
	return w.cache
}

func (w *World) cached(name string) (string, bool) {
	i := slices.IndexFunc(w.libraries(), func(e entry) bool { return e.soname == name })
	if i < 0 {
		return "", false
	}
	return w.libraries()[i].path, true
}
