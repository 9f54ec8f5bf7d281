package probe

import (
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"meshdiag/crash"
	"meshdiag/profile"
)

const causeStale = "stale-artifact"

// maxMatches bounds what one pattern may name.
const maxMatches = 64

// clockGrain is how much newer a file must be to count: builds write an input and its product within the same second on
// file systems that keep whole seconds.
const clockGrain = time.Second

// Artefact is an executable and what is known of the files that it was made of.
type Artefact struct {
	Exe      string
	Parts    profile.Artefacts
	Prefix   string                 // of the runtime's functions; "" none
	Function func(name string) bool // whether a symbol with that prefix is the runtime's, and not compiled code
}

// found is one file that the program may have been made of.
type found struct {
	path string
	info fs.FileInfo
}

// Fresh checks that an executable is what its parts make, as far as these lie beside it: the inputs and archives of the
// profile. Where an archive is there, the machine code of the runtime's functions in both is compared, which is proof;
// dates are only a hint, for copying and checking out change them. No archive beside it costs a few stat calls.
func Fresh(a Artefact) []Check {
	program, err := os.Stat(a.Exe)
	if err != nil {
		return nil
	}
	dir := filepath.Dir(a.Exe)
	archives := a.find(dir, a.Parts.Archives)
	out, compared := a.code(archives, program.ModTime())
	dated := a.find(dir, a.Parts.Inputs)
	if !compared {
		dated = append(dated, archives...)
	}
	if c, ok := dates(a.Exe, program.ModTime(), dated); ok {
		out = append(out, c)
	}
	return out
}

// find lists the files that patterns name, each once.
func (a *Artefact) find(dir string, patterns []string) []found {
	var out []found
	for _, pattern := range patterns {
		pattern = strings.ReplaceAll(pattern, "{exe}", filepath.Base(a.Exe))
		files := matches(dir, pattern)
		for _, path := range slices.Sorted(maps.Keys(files)) {
			if !slices.ContainsFunc(out, func(f found) bool { return os.SameFile(f.info, files[path]) }) {
				out = append(out, found{path, files[path]})
			}
		}
	}
	return out
}

// dates holds the date of the program against those of its parts.
func dates(exe string, built time.Time, parts []found) (Check, bool) {
	const id = "artefact-fresh"
	var newer, seen []string
	for _, p := range parts {
		seen = append(seen, p.path)
		if lag := p.info.ModTime().Sub(built); lag >= clockGrain {
			newer = append(newer, fmt.Sprintf("%s by %s", p.path, roughly(lag)))
		}
	}
	switch {
	case len(seen) == 0:
		return Check{}, false
	case len(newer) == 0:
		return passed(id, "by its date the program is newer than %s", list(seen)), true
	}
	return Check{ID: id, Detail: fmt.Sprintf("by the dates of the files, the program %s is older than what it is made of: %s is newer (a hint, no proof: copying changes dates)", exe, strings.Join(newer, ", and ")),
		Cause: causeStale, Hint: true, Next: []string{"build the program again, and run that"}}, true
}

// code compares the runtime's functions in the program with those in the archives. compared is false when there was
// nothing to compare: no archive, no symbols, bitcode.
func (a *Artefact) code(archives []found, built time.Time) (out []Check, compared bool) {
	const id = "artefact-archive"
	if len(archives) == 0 || a.Prefix == "" {
		return nil, false
	}
	linked, err := codeOf(a.Exe, a.Prefix)
	if err != nil {
		return nil, false
	}
	for name := range linked {
		if !a.Function(name) {
			delete(linked, name)
		}
	}
	var made, other []found
	var nearest *origin
	for _, f := range archives {
		o, err := compare(linked, f.path)
		switch {
		case err != nil || o.same+len(o.differ)-o.missing < fewFunctions:
		case o.made():
			made = append(made, f)
		default:
			other = append(other, f)
			if nearest == nil || o.same > nearest.same {
				nearest = o
			}
		}
	}
	switch {
	case len(made) > 0:
		newer := slices.DeleteFunc(other, func(f found) bool { return f.info.ModTime().Sub(made[0].info.ModTime()) < clockGrain })
		if len(newer) == 0 {
			return []Check{passed(id, "the program has the code of %s (%d functions compared)", made[0].path, len(linked))}, true
		}
		return []Check{{ID: id, Cause: causeStale, Hint: true,
			Detail: fmt.Sprintf("two runtime archives are near, and the program was linked with the older one: it has the code of %s, and %s is newer by %s", made[0].path, newer[0].path,
				roughly(newer[0].info.ModTime().Sub(made[0].info.ModTime()))),
			Next: []string{"see which one the linker takes: the order of its -L flags, or the compiler's choice between debug and release", "remove the one that is not meant: rm " + shellQuote(made[0].path)}}}, true
	case nearest != nil:
		return []Check{stranger(a.Exe, nearest, other, built)}, true
	}
	return nil, false
}

// shownFunctions is how many functions a sentence names.
const shownFunctions = 4

// stranger says that a program was not made of the archive that lies beside it.
func stranger(exe string, o *origin, others []found, built time.Time) Check {
	text := fmt.Sprintf("the program %s was not linked with %s: of %d runtime functions %d have other code there", exe, o.path, o.same+len(o.differ), len(o.differ))
	if o.missing > 0 {
		text += fmt.Sprintf(" or (%d) are missing", o.missing)
	}
	text += ", such as " + list(o.differ[:min(len(o.differ), shownFunctions)])
	for _, f := range others {
		if lag := f.info.ModTime().Sub(built); f.path == o.path && lag >= clockGrain {
			text += fmt.Sprintf("; the archive is newer by %s", roughly(lag))
		}
	}
	return Check{ID: "artefact-archive", Cause: causeStale, Detail: text,
		Next: []string{"link the program again with the runtime that is meant, and run that", "see which archive the build takes: the -L flags of its link command"}}
}

// matches are the files that a pattern names. A plain path costs one stat.
func matches(dir, pattern string) map[string]fs.FileInfo {
	path := filepath.Join(dir, pattern)
	paths := []string{path}
	if strings.ContainsAny(pattern, "*?[") {
		paths, _ = filepath.Glob(path)
	}
	found := map[string]fs.FileInfo{}
	for _, p := range paths[:min(len(paths), maxMatches)] {
		if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() {
			found[p] = info
		}
	}
	return found
}

// Present lists the files that patterns name in a folder.
func Present(dir string, patterns []string) []string {
	var out []string
	for _, pattern := range patterns {
		out = append(out, slices.Sorted(maps.Keys(matches(dir, pattern)))...)
	}
	return out
}

// roughly is a duration for people.
func roughly(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// Replaced checks that no executable file was deleted or replaced while the process ran: then what ran is not what lies
// on the disk. ran tells the build ID of a mapped file as it ran, "" when it is not known: a file that was replaced by
// one of the same build is no other. ok is false when nothing can be told.
func Replaced(mappings []crash.Mapping, ran func(path string) string) (c Check, ok bool) {
	const id = "artefact-replaced"
	for _, m := range mappings {
		if m.Perms&crash.Exec == 0 || !strings.HasPrefix(m.Path, "/") {
			continue
		}
		ok = true
		if !m.Deleted || strings.HasPrefix(m.Path, "/memfd:") || strings.HasPrefix(m.Path, "/dev/") {
			continue
		}
		c := Check{ID: id, Cause: causeStale, Next: []string{"start the program again"}}
		if _, err := os.Stat(m.Path); err != nil {
			c.Detail = fmt.Sprintf("%s was deleted while the program ran", m.Path)
			return c, true
		}
		was, is := ran(m.Path), buildID(m.Path)
		if was != "" && was == is {
			continue
		}
		c.Detail = fmt.Sprintf("%s was replaced while the program ran: what failed is the older file, not the one that lies there now", m.Path)
		if was != "" && is != "" {
			c.Detail += fmt.Sprintf(" (build ID %s ran, %s is there)", shortID(was), shortID(is))
		}
		return c, true
	}
	return passed(id, "the files that were mapped are still the ones on the disk"), ok
}

// shortID is the beginning of a build ID, enough to tell two apart.
func shortID(id string) string { return id[:min(len(id), 12)] }

// buildID reads the GNU build ID of a file; "" when it has none.
func buildID(path string) (id string) {
	_ = readELF(path, func(f *elf.File) error {
		for _, s := range f.Sections {
			if s.Type != elf.SHT_NOTE || s.Size > 4096 {
				continue
			}
			data, err := s.Data()
			if err != nil {
				return err
			}
			// Elf64_Nhdr: sizes of name and content, type NT_GNU_BUILD_ID (3), then "GNU\x00".
			if len(data) > 16 && f.ByteOrder.Uint32(data[8:]) == 3 && string(data[12:16]) == "GNU\x00" {
				n := min(int(f.ByteOrder.Uint32(data[4:])), len(data)-16)
				id = hex.EncodeToString(data[16 : 16+n])
			}
		}
		return nil
	})
	return id
}
