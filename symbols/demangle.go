package symbols

import (
	"strconv"
	"strings"

	"github.com/ianlancetaylor/demangle"

	"meshdiag/lazyregexp"
)

// maxDemangle bounds the names that are demangled: hostile ones can unfold without end.
const maxDemangle = 8 << 10

// Demangle returns the readable form of a symbol's name and the language that its form shows. A name of no known form
// comes back as it is, with LangUnknown: C names have no form of their own. Suffixes that compilers add to parts of a
// function (".cold", ".llvm.123", "@plt") stay visible where they tell something and go where they do not.
func Demangle(name string) (string, Language) {
	base, suffix := splitSuffix(name)
	switch {
	case len(base) > maxDemangle:
		return name, LangUnknown
	case strings.HasPrefix(base, "_R"):
		if s, err := demangle.ToString(base, demangle.MaxLength(13)); err == nil {
			return unwrapSelf(dropDisambiguators(s)) + suffix, LangRust
		}
	case isRustLegacy(base):
		if s, err := demangle.ToString(keepUnderscores(base), demangle.MaxLength(13)); err == nil {
			return dropHash(s) + suffix, LangRust
		}
	case strings.HasPrefix(base, "_Z"), strings.HasPrefix(base, "___Z"), strings.HasPrefix(base, "_GLOBAL__"):
		if s, err := demangle.ToString(base, demangle.MaxLength(13)); err == nil {
			return shortCPP(s) + suffix, LangCPP
		}
	}
	return name, LangUnknown
}

// mangled finds names in the Itanium and Rust v0 manglings inside a sentence.
var mangled = lazyregexp.New(`\b_(Z|R)[A-Za-z0-9_$.]+`)

// DemangleIn demangles the names in a sentence.
func DemangleIn(text string) string {
	return mangled().ReplaceAllStringFunc(text, func(s string) string {
		name, _ := Demangle(s)
		return name
	})
}

// sourceName is the demangled name of the function as the source has it: without what the compiler appends to the parts
// and clones it makes (".cold", ".part.0", ".constprop.1"), for places that tell file and line.
func sourceName(symbol string) string {
	if i := strings.IndexByte(symbol, '.'); i > 0 && !isRustLegacy(symbol) {
		symbol = symbol[:i]
	}
	name, _ := Demangle(symbol)
	return name
}

// clonePattern is what compilers append to the names of the parts and clones that they make of a function (gcc
// clone_function_name; LLVM's promotion of local names).
var clonePattern = lazyregexp.New(`(?:\.(?:cold|(?:part|isra|constprop|lto_priv|llvm)\.[0-9]+))+$`)

// WithoutClone cuts off a raw symbol what the compiler appended to it: what is left is the function of the source.
func WithoutClone(symbol string) string {
	if !strings.Contains(symbol, ".") {
		return symbol
	}
	if at := clonePattern().FindStringIndex(symbol); at != nil && at[0] > 0 {
		return symbol[:at[0]]
	}
	return symbol
}

// splitSuffix cuts what linkers and compilers append: "@plt" and ".cold" are kept apart for people, numbered clones of
// LLVM say nothing and are dropped.
func splitSuffix(name string) (base, suffix string) {
	base = name
	if b, ok := strings.CutSuffix(base, "@plt"); ok {
		base, suffix = b, "@plt"
	}
	if i := strings.Index(base, ".llvm."); i > 0 {
		base = base[:i]
	}
	if i := strings.IndexByte(base, '.'); i > 0 && strings.HasPrefix(base, "_") && !isRustLegacy(base) {
		base, suffix = base[:i], " ["+strings.TrimLeft(base[i:], ".")+"]"+suffix
	}
	return base, suffix
}

// isRustLegacy reports whether name ends in the hash segment of Rust's old scheme, "17h" and 16 hex digits and "E".
// Without it the same name is C++.
func isRustLegacy(name string) bool {
	const tail = len("17h0123456789abcdefE")
	if !strings.HasPrefix(name, "_ZN") {
		return false
	}
	end := strings.LastIndexByte(name, 'E') + 1
	if end < tail {
		return false
	}
	hash := name[end-tail : end]
	if !strings.HasPrefix(hash, "17h") {
		return false
	}
	for _, c := range hash[3:19] {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return false
		}
	}
	return true
}

// keepUnderscores doubles the underscore at the start of a segment of Rust's old scheme: the demangler takes it for a
// separator and drops it. Before '$' it is one.
func keepUnderscores(name string) string {
	var b strings.Builder
	b.WriteString("_ZN")
	for rest := name[3:]; ; {
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || n > len(rest)-digits {
			b.WriteString(rest)
			return b.String()
		}
		segment := rest[digits : digits+n]
		if strings.HasPrefix(segment, "_") && !strings.HasPrefix(segment, "_$") {
			segment = "_" + segment
		}
		b.WriteString(strconv.Itoa(len(segment)))
		b.WriteString(segment)
		rest = rest[digits+n:]
	}
}

// dropHash removes the hash that ends names of the old scheme, where the demangler leaves it.
func dropHash(s string) string {
	if i := strings.LastIndex(s, "::h"); i >= 0 && len(s)-i == len("::h0123456789abcdef") && isHex(s[i+3:]) {
		return s[:i]
	}
	return s
}

// unwrapSelf writes "<a::T>::f" as "a::T::f"; "<a::T as b::Trait>::f" needs its brackets.
func unwrapSelf(s string) string {
	if !strings.HasPrefix(s, "<") {
		return s
	}
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == '<':
			depth++
		case s[i] == '>' && (i == 0 || s[i-1] != '-'):
			depth--
		case depth == 1 && strings.HasPrefix(s[i:], " as "):
			return s
		}
		if depth == 0 {
			return s[1:i] + s[i+1:]
		}
	}
	return s
}

// dropDisambiguators removes "[0123456789abcdef]" behind crate names.
func dropDisambiguators(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] != '[' {
			continue
		}
		end := strings.IndexByte(s[i:], ']')
		if end > 8 && isHex(s[i+1:i+end]) {
			s = s[:i] + s[i+end+1:]
		}
	}
	return s
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) > 0
}
