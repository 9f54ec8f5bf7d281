package symbols

import (
	"bytes"
	"debug/elf"
	"strings"
)

// FileSymbols returns the link-time addresses of the named functions that the ELF file at path defines, by raw name.
// A name that begins with * is the ending of a mangled name whose start differs between builds. Names it does not define
// are missing from the result. One pass over the symbol table, no index: this is what a tracer
// asks before it sets breakpoints, while the target waits. Of several functions with one name a global one counts.
func FileSymbols(path string, names []string) (map[string]uint64, error) {
	f, err := openELF(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	found := make(map[string]uint64, len(names))
	wanted := newWantedNames(names)
	err = fence(path, func() error {
		for _, section := range []string{".symtab", ".dynsym"} {
			t := sectionTable(f, section, FromSymtab)
			if t != nil {
				t.pick(wanted, found)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// pick adds the addresses of wanted functions to found.
func (t *symbolTable) pick(wanted wantedNames, found map[string]uint64) {
	for i := range t.count() {
		e, shndx := t.at(i)
		if e.kind() != elf.STT_FUNC && e.kind() != elf.STT_NOTYPE || !defined(e, shndx) {
			continue
		}
		name := t.nameBytes(e.name)
		if !wanted.has(name) || !t.isFunc(e, shndx) {
			continue
		}
		if _, have := found[string(name)]; have && e.binding() == elf.STB_LOCAL {
			continue
		}
		found[string(name)] = e.value
	}
}

// wantedNames are names to look for: exact ones, and endings of mangled names whose start differs from build to build.
type wantedNames struct {
	exact   map[string]bool
	endings [][]byte
}

func newWantedNames(names []string) wantedNames {
	w := wantedNames{exact: make(map[string]bool, len(names))}
	for _, n := range names {
		if ending, ok := strings.CutPrefix(n, "*"); ok {
			w.endings = append(w.endings, []byte(ending))
		} else {
			w.exact[n] = true
		}
	}
	return w
}

func (w *wantedNames) has(name []byte) bool {
	for _, e := range w.endings {
		if bytes.HasSuffix(name, e) {
			return true
		}
	}
	return w.exact[string(name)]
}
