package profile

import (
	"embed"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed data
var data embed.FS

// None is the name that stands for no profile.
const None = "none"

// builtin is one embedded profile, loaded when it is first asked for.
type builtin struct {
	name string
	// marks are exported symbols that a binary of this runtime has. They stand here in the index, too, so that an
	// unknown binary costs a few symbol look-ups and not the parsing of every profile.
	marks []string
	once  sync.Once
	p     *Profile
	err   error
}

// builtins reads data/index.tsv: name, then the symbols to recognise it by.
var builtins = sync.OnceValue(func() []*builtin {
	text, err := data.ReadFile("data/index.tsv")
	if err != nil {
		panic(err) // the file is part of the program
	}
	var all []*builtin
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			words := strings.Fields(line)
			all = append(all, &builtin{name: words[0], marks: words[1:]})
		}
	}
	return all
})

func (b *builtin) load() (*Profile, error) {
	b.once.Do(func() {
		b.p, b.err = loadText(b.name+".toml", embedded(b.name), openEmbedded, true)
		if b.p != nil {
			b.p.Recognise = b.marks
		}
	})
	return b.p, b.err
}

// embedded is the text of an embedded profile; nil when there is none of that name.
func embedded(name string) []byte {
	text, err := data.ReadFile("data/" + name + ".toml")
	if err != nil {
		return nil
	}
	return text
}

// Names lists the built-in profiles.
func Names() []string {
	var names []string
	for _, b := range builtins() {
		names = append(names, b.name)
	}
	return names
}

// Load returns a built-in profile by name, no profile (nil, nil) for "none", or reads a profile file: anything with a
// slash or ending in ".toml". Errors say the file, the line and what was expected there. Loaded built-in profiles are
// shared and must not be changed.
func Load(nameOrFile string) (*Profile, error) {
	if nameOrFile == None {
		return nil, nil
	}
	for _, b := range builtins() {
		if b.name == nameOrFile {
			return b.load()
		}
	}
	if !strings.ContainsRune(nameOrFile, '/') && !strings.HasSuffix(nameOrFile, ".toml") {
		return nil, fmt.Errorf("no profile %q: built in are %s and %s; for a file of your own give a path ending in .toml",
			nameOrFile, strings.Join(Names(), ", "), None)
	}
	text, err := readBounded(nameOrFile)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	beside := func(name string) ([]byte, error) { return readBounded(filepath.Join(filepath.Dir(nameOrFile), name)) }
	return loadText(nameOrFile, text, beside, false)
}

// readBounded reads a file that must not be larger than a profile may be.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: larger than %d MiB", path, maxFile>>20)
	}
	return text, err
}

// maxDerive bounds a chain of profiles derived from each other.
const maxDerive = 8

// loadText makes a profile of a file's text. open reads the extern table that it names; trusted says that a test has
// checked its patterns and its table.
func loadText(name string, text []byte, open func(string) ([]byte, error), trusted bool) (*Profile, error) {
	f, err := decode(name, text)
	if err != nil {
		return nil, err
	}
	own := f.ExternsFile != ""
	if err := f.inherit(name, 0); err != nil {
		return nil, err
	}
	if f.ID == "" {
		return nil, fmt.Errorf("profile %s: it has no id", name)
	}
	p, err := f.build(name, text, trusted)
	if err != nil {
		return nil, err
	}
	if f.ExternsFile != "" {
		if !own {
			open = openEmbedded
		}
		p.externs.open = func() ([]byte, error) { return open(f.ExternsFile) }
	}
	if own && !trusted { // an error of the user's table is told now, not when the first function is looked up
		if err := p.externs.load(); err != nil {
			return nil, fmt.Errorf("profile %s: %s: %w", name, f.ExternsFile, err)
		}
	}
	return p, nil
}

func openEmbedded(name string) ([]byte, error) { return data.ReadFile("data/" + name) }

// inherit fills f up from the profile that it derives from: its own scalars win, its own rows stand before inherited
// ones, rows named in drop are left out.
func (f *file) inherit(name string, depth int) error {
	if f.Derive == "" {
		return nil
	}
	if depth >= maxDerive {
		return fmt.Errorf("profile %s: more than %d profiles derive from each other", name, maxDerive)
	}
	text := embedded(f.Derive)
	if text == nil {
		return fmt.Errorf("profile %s: it derives from %q, which is no built-in profile (%s)", name, f.Derive,
			strings.Join(Names(), ", "))
	}
	base, err := decode(f.Derive+".toml", text)
	if err != nil {
		return err
	}
	if err := base.inherit(f.Derive+".toml", depth+1); err != nil {
		return err
	}
	f.merge(base)
	return nil
}

func (f *file) merge(base *file) {
	first := func(own *string, inherited string) {
		if *own == "" {
			*own = inherited
		}
	}
	first(&f.Title, base.Title)
	first(&f.Version, base.Version)
	first(&f.Prefix, base.Prefix)
	first(&f.ExternsFile, base.ExternsFile)
	if f.ExternLines == nil {
		f.ExternLines = base.ExternLines
	}
	if f.Entry == nil {
		f.Entry = base.Entry
	}
	if f.Stacks == nil {
		f.Stacks = base.Stacks
	}
	if f.Recognise == nil {
		f.Recognise = base.Recognise
	}
	if f.Breakpoints == nil {
		f.Breakpoints = base.Breakpoints
	}
	all := maps.Clone(base.Vars)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, f.Vars)
	f.Vars = all

	dropped := func(id string) bool { return id != "" && slices.Contains(f.Drop, id) }
	f.Names = append(f.Names, slices.DeleteFunc(base.Names, func(r fileName) bool { return dropped(r.ID) })...)
	f.Threads = append(f.Threads, slices.DeleteFunc(base.Threads, func(r fileThread) bool { return dropped(r.ID) })...)
	f.Startup = append(f.Startup, slices.DeleteFunc(base.Startup, func(r fileSequence) bool { return dropped(r.ID) })...)
	f.Messages = append(f.Messages, slices.DeleteFunc(base.Messages, func(r fileMessage) bool { return dropped(r.ID) })...)
	f.Sources = append(f.Sources, base.Sources...)
	f.Layouts = append(f.Layouts, slices.DeleteFunc(base.Layouts, func(r fileLayout) bool { return dropped(r.ID) })...)
	f.Externs = append(f.Externs, slices.DeleteFunc(base.Externs, func(r fileExtern) bool { return dropped(r.Symbol) })...)
	f.mergeWorld(base, dropped)
}

// Recognise returns the built-in profile whose runtime a binary carries: has tells whether the binary has (defines or
// imports) a symbol. It returns nil when none fits, as for a stripped binary. Two symbols must be there, so that one
// function of a stranger that happens to have such a name is not enough. Where it is cheaper to ask whether any symbol has
// some text in its name, mentions does that, and spares looking for each; nil: it is not.
func Recognise(has, mentions func(symbol string) bool) *Profile {
	best, most := (*builtin)(nil), 0
	for _, b := range builtins() {
		found := 0
		if mentions != nil && !mentions(sharedPrefix(b.marks)) {
			continue
		}
		for _, s := range b.marks {
			if has(s) {
				found++
			}
		}
		if found >= min(2, len(b.marks)) && found > most {
			best, most = b, found
		}
	}
	if best == nil {
		return nil
	}
	p, err := best.load()
	if err != nil {
		return nil // a test loads every embedded profile, so this cannot happen in a built program
	}
	return p
}

// sharedPrefix is what all names begin with.
func sharedPrefix(names []string) string {
	if len(names) == 0 {
		return ""
	}
	shared := names[0]
	for _, n := range names {
		for !strings.HasPrefix(n, shared) {
			shared = shared[:len(shared)-1]
		}
	}
	return shared
}
