package profile

import (
	"path/filepath"
	"strings"
	"sync"
)

// Classified is what the tables say of one symbol.
type Classified struct {
	Kind     FrameKind
	Part     string // see NameRule.Part; "" nothing special
	Role     Role
	Actor    string
	Readable string    // for people; never empty unless the symbol is
	Rule     *NameRule // the rule that decided; nil: none matched
}

// engine is the table that holds for every program, loaded when it is first needed.
var engine = sync.OnceValue(func() *Profile {
	p, err := loadText("engine.toml", embedded("engine"), openEmbedded, true)
	if err != nil {
		panic(err) // the file is part of the program; a test loads it
	}
	return p
})

type classifyKey struct {
	symbol, demangled, module string
	main                      bool
}

// maxCached bounds the memory of answers; garbage stacks have few distinct names, so it is not reached in practice.
const maxCached = 4096

// Classify says what a symbol is: by the profile's rules first, then by the engine's own table. symbol is the name as in
// the symbol table ("" when nothing covers the address), demangled its readable form, modulePath the file it lies in and
// mainModule whether that is the executable. It works on a nil profile.
func (p *Profile) Classify(symbol, demangled, modulePath string, mainModule bool) Classified {
	cache := &engine().cache
	if p != nil {
		cache = &p.cache
	}
	key := classifyKey{symbol, demangled, modulePath, mainModule}
	cache.mu.Lock()
	defer cache.mu.Unlock()
	if c, ok := cache.byKey[key]; ok {
		return c
	}
	c := p.classify(symbol, demangled, modulePath, mainModule)
	if cache.byKey == nil || len(cache.byKey) >= maxCached {
		cache.byKey = make(map[classifyKey]Classified)
	}
	cache.byKey[key] = c
	return c
}

func (p *Profile) classify(symbol, demangled, modulePath string, mainModule bool) Classified {
	bare := bareSymbol(symbol)
	if demangled == "" {
		demangled = bare
	}
	subjects := map[Subject]string{"": bare, OnSymbol: bare, OnDemangled: demangled, OnModule: moduleName(modulePath)}
	if p != nil {
		if c, ok := firstRule(p.Names, false, subjects, mainModule); ok {
			return c
		}
	}
	if c, ok := firstRule(engine().Names, false, subjects, mainModule); ok {
		return c
	}
	if p != nil {
		if c, ok := firstRule(p.Names, true, subjects, mainModule); ok {
			return c
		}
	}
	return Classified{Kind: KindOther, Readable: demangled}
}

// firstRule applies the first rule that matches, among those that are or are not fallbacks.
func firstRule(rules []NameRule, fallback bool, subjects map[Subject]string, mainModule bool) (Classified, bool) {
	for i := range rules {
		r := &rules[i]
		if r.Fallback != fallback || r.MainOnly && !mainModule {
			continue
		}
		subject := subjects[r.On]
		m := r.Pattern.FindStringSubmatchIndex(subject)
		if m == nil {
			continue
		}
		c := Classified{Kind: r.Kind, Part: r.Pattern.expand(r.Part, subject, m), Role: r.Role, Rule: r,
			Actor: r.Pattern.expand(r.Actor, subject, m), Readable: r.Pattern.expand(r.Readable, subject, m)}
		if c.Readable == "" {
			c.Readable = subjects[OnDemangled]
		}
		return c, true
	}
	return Classified{}, false
}

// moduleName is the file name of a module, without folder and the kernel's " (deleted)".
func moduleName(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
}

// ClassifyThread says what a thread's name tells; Rule is nil there. ok is false when no rule knows the name.
func (p *Profile) ClassifyThread(name string) (c Classified, ok bool) {
	if p == nil {
		return Classified{}, false
	}
	for i := range p.Threads {
		r := &p.Threads[i]
		if m := r.Pattern.FindStringSubmatchIndex(name); m != nil {
			return Classified{Kind: KindRuntime, Role: r.Role, Part: r.Part, Actor: r.Pattern.expand(r.Actor, name, m), Readable: name}, true
		}
	}
	return Classified{}, false
}
