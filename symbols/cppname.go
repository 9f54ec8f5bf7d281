package symbols

import "strings"

// cppString is what the C++ library calls std::string in symbols.
const cppString = "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"

// cppDefaults are the template arguments that the standard library's containers and pointers supply themselves, in the
// order in which they are peeled off the end of an argument list (ISO C++, [container.requirements], [unique.ptr]).
var cppDefaults = []string{"std::allocator<", "std::default_delete<", "std::less<", "std::equal_to<", "std::hash<"}

// shortCPP writes a demangled C++ name as its source has it: std::string by its name, and without the arguments that
// the standard library's templates supply themselves.
func shortCPP(s string) string {
	s = strings.ReplaceAll(s, cppString, "std::string")
	s = strings.ReplaceAll(s, "std::__cxx11::", "std::")
	s = strings.ReplaceAll(s, "[abi:cxx11]", "")
	for _, d := range cppDefaults {
		s = dropLastArgument(s, ", "+d)
	}
	return s
}

// dropLastArgument removes each template argument that begins with head and is the last one of its list.
func dropLastArgument(s, head string) string {
	for from := 0; ; {
		i := strings.Index(s[from:], head)
		if i < 0 {
			return s
		}
		i += from
		end := closing(s, i+len(head))
		rest := strings.TrimPrefix(s[end:], " ")
		if end == len(s) || !strings.HasPrefix(rest, ">") {
			from = i + len(head)
			continue
		}
		if !strings.HasSuffix(s[:i], ">") {
			s = s[:i] + rest
		} else {
			s = s[:i] + " " + rest
		}
		from = i
	}
}

// closing is the index behind the '>' that closes the list which is open at from, len(s) when there is none.
func closing(s string, from int) int {
	depth := 1
	for i := from; i < len(s); i++ {
		switch s[i] {
		case '<':
			depth++
		case '>':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}
