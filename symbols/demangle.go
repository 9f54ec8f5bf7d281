package symbols

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
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
	case strings.HasPrefix(base, "_R"), isRustLegacy(base):
		if s, err := demangle.ToString(base, demangle.LLVMStyle, demangle.MaxLength(13)); err == nil {
			return cleanRust(s) + suffix, LangRust
		}
	case strings.HasPrefix(base, "_Z"), strings.HasPrefix(base, "___Z"), strings.HasPrefix(base, "_GLOBAL__"):
		if s, err := demangle.ToString(base, demangle.MaxLength(13)); err == nil {
			return s + suffix, LangCPP
		}
	}
	return name, LangUnknown
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

// cleanRust drops the hash of the old scheme and the crate disambiguators of the new one.
func cleanRust(s string) string {
	if i := strings.LastIndex(s, "::h"); i >= 0 && len(s)-i == len("::h0123456789abcdef") && isHex(s[i+3:]) {
		s = s[:i]
	}
	return dropDisambiguators(s)
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
