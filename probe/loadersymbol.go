package probe

import (
	"path/filepath"
	"slices"
	"strings"

	"meshdiag/probe/loader"
)

// loaded are the libraries that the loader found for the program, by what is needed directly first.
func (p *loaderProbe) loaded() []string {
	var out []string
	for _, n := range p.tree {
		if n.Found.Path != "" {
			out = append(out, n.Found.Path)
		}
	}
	return out
}

// system are libraries that nobody's own symbol is missing from.
var system = []string{"libc.so", "libm.so", "libgcc_s.so", "libpthread.so", "libdl.so", "librt.so", "libutil.so", "libstdc++.so", "ld-linux"}

// own are the loaded libraries that may have been meant to define a program's own symbol.
func (p *loaderProbe) own() []string {
	return slices.DeleteFunc(p.loaded(), func(path string) bool {
		return slices.ContainsFunc(system, func(s string) bool { return strings.HasPrefix(filepath.Base(path), s) })
	})
}

// symbol explains a symbol that no loaded library defines.
func (p *loaderProbe) symbol() []Check {
	f := p.f
	by := f.By
	if by == "" {
		by = p.w.Program
	}
	looked := p.own()
	if f.Library != "" {
		if _, found := p.needs(f.Library); found.Path != "" {
			looked = []string{found.Path}
		}
	}
	out := []Check{p.lacks(by, looked)}
	known := map[string]bool{}
	for _, path := range p.loaded() {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			known[real] = true
		}
	}
	for _, path := range looked {
		if c, ok := p.otherCopy(path, known); ok {
			return append(out, c)
		}
		if c, ok := p.renamed(path); ok {
			return append(out, c)
		}
	}
	definers := p.w.Definer(p.ctx, f.Symbol, f.Version, known)
	if len(definers) == 0 {
		return append(out, missed("loader-elsewhere", []string{"build the library that should define it again, from the sources that the program was built with"},
			"no library near the program or in the system's cache defines %s", symbolText(f.Symbol, f.Version)))
	}
	return append(out, missed("loader-elsewhere", []string{"if that is the one that is meant: link the program with it (-l" + linkName(definers[0]) + "), or try LD_PRELOAD=" +
		shellQuote(definers[0]) + " " + shellQuote(p.runnable())}, "%s defines %s, but nothing loads it%s", definers[0], f.Symbol, more(definers[1:])))
}

// lacks says which libraries were loaded and do not define the symbol.
func (p *loaderProbe) lacks(by string, looked []string) Check {
	text := symbolText(p.f.Symbol, p.f.Version)
	next := []string{"nm -D --defined-only LIBRARY | grep -w " + shellQuote(p.f.Symbol)}
	if len(looked) > 0 {
		next[0] = strings.Replace(next[0], "LIBRARY", shellQuote(looked[0]), 1)
	}
	for _, path := range looked { // the search on the files must agree with the loader
		if loader.Defines(path, p.f.Symbol, p.f.Version) {
			return missed("loader-symbol", next, "%s needs %s, and %s does define it now: it was replaced since, or another copy was loaded", by, text, path)
		}
		if p.f.Version != "" && loader.Defines(path, p.f.Symbol, "") {
			return missed("loader-symbol", next, "%s needs %s, and %s defines %s in another version only", by, text, path, p.f.Symbol)
		}
	}
	if len(looked) == 0 {
		return missed("loader-symbol", next, "%s needs %s, and loads no library but the system's: it was linked without the one that defines it", by, text)
	}
	return missed("loader-symbol", next, "%s needs %s, which %s %s not define", by, text, list(looked[:min(len(looked), 4)]), map[bool]string{true: "does", false: "do"}[len(looked) == 1])
}

// otherCopy looks for another file of the library's name that does define the symbol: an old copy was loaded.
func (p *loaderProbe) otherCopy(path string, known map[string]bool) (Check, bool) {
	for _, other := range p.w.Elsewhere(p.ctx, p.soname(path)).Same {
		if real, err := filepath.EvalSymlinks(other); err != nil || known[real] || !loader.Defines(other, p.f.Symbol, p.f.Version) {
			continue
		}
		return missed("loader-elsewhere", []string{"LD_LIBRARY_PATH=" + shellQuote(filepath.Dir(other)) + " " + shellQuote(p.runnable()), "or install the newer copy over the older one"},
			"another copy of the library, %s, defines %s; the loader took %s", other, p.f.Symbol, path), true
	}
	return Check{}, false
}

// soname is the name by which the loader was asked for a file.
func (p *loaderProbe) soname(path string) string {
	for _, n := range p.tree {
		if n.Found.Path == path {
			return n.Name
		}
	}
	return filepath.Base(path)
}

// renamed looks for the symbol under another prefix.
func (p *loaderProbe) renamed(path string) (Check, bool) {
	names := loader.Renamed(path, p.f.Symbol)
	if len(names) == 0 {
		return Check{}, false
	}
	want, _, _ := strings.Cut(p.f.Symbol, "_")
	has, _, _ := strings.Cut(names[0], "_")
	return missed("loader-elsewhere", []string{"build program and runtime with the same prefix: one of both is from before or after the renaming"},
		"%s defines %s: its functions begin with %s_, and the program wants %s_", path, list(names), has, want), true
}

// version explains a library that is older than what a file was built with.
func (p *loaderProbe) version() []Check {
	path, family := p.f.Library, loader.Family(p.f.Version)
	if !strings.Contains(path, "/") {
		if _, found := p.needs(path); found.Path != "" {
			path = found.Path
		}
	}
	var uses []string
	for _, s := range loader.Wanted(p.w.Resolve(p.f.By)) {
		if s.Version == p.f.Version {
			uses = append(uses, s.Name)
		}
	}
	text := p.f.By + " was built with a " + filepath.Base(path) + " that has " + p.f.Version
	if len(uses) > 0 {
		text += " (for " + list(uses[:min(len(uses), 4)]) + ")"
	}
	if newest := loader.Newest(loader.Versions(path), family); newest != "" {
		text += "; the newest that " + path + " has is " + newest
	}
	next := []string{"build " + shellQuote(p.f.By) + " on this system, or on one that is as old"}
	if family == "GLIBC" {
		next = append(next, "or run it on a system with a newer glibc (a container); another libc.so alone does not help")
	}
	out := []Check{missed("loader-version", next, "%s", text)}
	for _, other := range p.w.Elsewhere(p.ctx, filepath.Base(path)).Same {
		if family != "GLIBC" && slices.Contains(loader.Versions(other), p.f.Version) {
			out = append(out, missed("loader-elsewhere", []string{"LD_LIBRARY_PATH=" + shellQuote(filepath.Dir(other)) + " " + shellQuote(p.runnable())},
				"%s has %s", other, p.f.Version))
			break
		}
	}
	return out
}

func symbolText(name, version string) string {
	if version == "" {
		return name
	}
	return name + " (version " + version + ")"
}

// linkName is what -l takes for a library: "z" of /usr/lib/libz.so.1.
func linkName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".so")
	return strings.TrimPrefix(name, "lib")
}
