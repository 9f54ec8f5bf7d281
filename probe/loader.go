package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"meshdiag/probe/loader"
)

const (
	causeMissing = "missing-extern"
	kindLoad     = "load"
)

// LoaderFailure is what the dynamic loader said of its failure; fields that it did not tell are "".
type LoaderFailure struct {
	Program, Library, Symbol, Version, By, Reason string
	Late                                          bool
}

// loaderProbe asks one question about a failure of the dynamic loader.
type loaderProbe struct {
	ctx  context.Context
	f    LoaderFailure
	w    *loader.World
	tree []loader.Needed
}

// Loader repeats the dynamic loader's search on the files and says where it looked, what it met there, and which file of
// this machine has what was missing. Nothing is executed.
func Loader(ctx context.Context, f LoaderFailure, w *loader.World) []Check {
	if f.Program != "" { // a program that the target started, or the target
		if path := w.Abs(f.Program); isELF(path) {
			w.Program = path
		}
	}
	p := loaderProbe{ctx: ctx, f: f, w: w}
	p.tree = w.Tree()
	switch {
	case f.Symbol != "":
		return p.symbol()
	case f.Version != "":
		return p.version()
	case f.Library != "":
		return p.library()
	}
	return nil
}

func isELF(path string) bool {
	_, err := loader.Open(path)
	return err == nil
}

// missed is a failed check that points to the loader's failure.
func missed(id string, next []string, format string, args ...any) Check {
	return Check{ID: id, Cause: causeMissing, Kind: kindLoad, Next: next, Detail: fmt.Sprintf(format, args...)}
}

// needs is who needs a library, and the search for it.
func (p *loaderProbe) needs(name string) (by string, found loader.Found) {
	for _, n := range p.tree {
		if n.Name == name {
			return n.Chain[0].Path, n.Found
		}
	}
	var chain []*loader.File
	for _, path := range []string{p.f.By, p.w.Program} {
		if f, err := loader.Open(p.w.Abs(path)); path != "" && err == nil {
			chain = append(chain, f)
			break
		}
	}
	by = p.f.By
	if by == "" {
		by = p.w.Program
	}
	return by, p.w.Find(name, chain)
}

func (p *loaderProbe) library() []Check {
	by, found := p.needs(p.f.Library)
	if found.Path != "" {
		return p.refused(found.Path)
	}
	for _, place := range found.Places { // the path is told, and something stands there
		if place.Met != "" && strings.Contains(p.f.Library, "/") {
			return p.refused(place.Path)
		}
	}
	if strings.Contains(p.f.Library, "/") {
		return []Check{missed("loader-library", nil, "%s asks for the file %s, which does not exist", by, p.f.Library)}
	}
	files := p.w.Elsewhere(p.ctx, p.f.Library)
	out := []Check{missed("loader-library", nil, "%s needs %s. It was sought in %s", by, p.f.Library, placesText(found.Places))}
	for _, place := range found.Places {
		if place.Met != "" {
			out = append(out, missed("loader-passed-over", []string{"file -L " + shellQuote(place.Path)},
				"%s was passed over: %s", place.Path, place.Met))
		}
	}
	return append(out, p.elsewhere(files, found.Places))
}

// elsewhere says which files of this machine bear the library's name, and how the loader can be brought to take one.
func (p *loaderProbe) elsewhere(e loader.Elsewhere, places []loader.Place) Check {
	const id = "loader-elsewhere"
	name := p.f.Library
	switch {
	case len(e.Same) > 0:
		path, dir := e.Same[0], filepath.Dir(e.Same[0])
		next := []string{"LD_LIBRARY_PATH=" + shellQuote(dir) + " " + shellQuote(p.runnable())}
		if p.w.Configured(dir) {
			next = []string{"sudo ldconfig   (its folder " + dir + " is in /etc/ld.so.conf, but the cache does not know the file yet)"}
		}
		next = append(next, "or for good: link with -Wl,-rpath,"+shellQuote(dir)+", or copy the library to where the loader looks")
		return missed(id, next, "%s lies at %s, where the loader does not look%s", name, path, more(e.Same[1:]))
	case len(e.Unfit) > 0 && !slices.ContainsFunc(places, func(x loader.Place) bool { return x.Path == e.Unfit[0].Path }):
		return missed(id, []string{"build " + name + " for x86-64, or fetch it for that"}, "of that name this machine only has %s, and %s", e.Unfit[0].Path, e.Unfit[0].Met)
	case len(e.Others) > 0:
		return missed(id, []string{"build the program again, with the version that is here", "or install the version that it was built with: " + packageSearch(name)},
			"no %s was found on this machine, only another version of it: %s", name, list(e.Others))
	}
	return missed(id, []string{"install it (" + packageSearch(name) + "), or build it and set LD_LIBRARY_PATH to its folder"},
		"no file called %s was found in the usual folders of this machine, nor near the program", name)
}

func more(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return " (also " + list(paths) + ")"
}

// packageSearch is what asks the distribution which package has a library.
func packageSearch(name string) string {
	if _, err := os.Stat("/etc/debian_version"); err == nil {
		return "apt-file search " + shellQuote("/"+name)
	}
	return "dnf provides " + shellQuote("*/"+name)
}

// runnable is the program as one types it.
func (p *loaderProbe) runnable() string {
	if p.f.Program != "" {
		return p.f.Program
	}
	return p.w.Program
}

// placesText lists the places of a search by who names them.
func placesText(places []loader.Place) string {
	var groups []string
	for i := 0; i < len(places); {
		from, dirs := places[i].From, []string(nil)
		for ; i < len(places) && places[i].From == from; i++ {
			dir := filepath.Dir(places[i].Path)
			if st, err := os.Stat(dir); filepath.IsAbs(dir) && (err != nil || !st.IsDir()) {
				dir += ", no such folder"
			}
			dirs = append(dirs, dir)
		}
		switch from {
		case loader.CachePath:
			groups = append(groups, from)
		case loader.Default:
			groups = append(groups, "the default folders ("+strings.Join(dirs, "; ")+")")
		default:
			groups = append(groups, from+" ("+strings.Join(dirs, "; ")+")")
		}
	}
	if len(groups) == 0 {
		return "no place at all"
	}
	return strings.Join(groups, ", then ")
}

// refused explains why a library that was found could not be loaded.
func (p *loaderProbe) refused(path string) []Check {
	const id = "loader-refused"
	var fs unix.Statfs_t
	switch why := loader.Unfit(path); {
	case why != "":
		return []Check{missed(id, []string{"file -L " + shellQuote(path), "put a library for x86-64 there"}, "%s is no library for this program: %s", path, why)}
	case strings.Contains(p.f.Reason, "failed to map segment") && unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0:
		return []Check{missed(id, []string{"findmnt -T " + shellQuote(path), "copy the library to a file system that is not mounted noexec"},
			"%s lies on a file system that is mounted noexec: nothing on it can be loaded as code", path)}
	case strings.Contains(p.f.Reason, "executable stack"):
		return []Check{missed(id, []string{"patchelf --clear-execstack " + shellQuote(path)}, "%s asks for an executable stack, which the system forbids", path)}
	case strings.Contains(p.f.Reason, "static TLS"):
		return []Check{missed(id, []string{"GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096 " + shellQuote(p.runnable()), "or load it early: LD_PRELOAD=" + shellQuote(path)},
			"%s needs thread-local memory of the initial block, of which too little is left for a library that is loaded late", path)}
	}
	return []Check{missed(id, []string{"readelf -hld " + shellQuote(path)}, "%s is there and its header is fit; the loader refused it: %s", path, p.f.Reason)}
}
