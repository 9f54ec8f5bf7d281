package mesher

import (
	_ "embed"
	"strings"
)

// intrinsicTable lists symbol (without prefix), return type and argument types; the compiler declares all, used or not.
//
//go:embed intrinsics.tsv
var intrinsicTable string

// intrinsics parses the table.
func intrinsics() map[string]signature {
	all := map[string]signature{}
	for _, line := range strings.Split(intrinsicTable, "\n") {
		col := strings.Split(line, "\t")
		if strings.HasPrefix(line, "#") || len(col) != 3 {
			continue
		}
		// The compiler marks mesh_panic noreturn; the attribute is not part of the type.
		sig := signature{ret: Type(strings.TrimSuffix(col[1], " noreturn"))}
		if args := strings.Trim(col[2], "()"); args != "" {
			for _, a := range strings.Split(args, ", ") {
				sig.params = append(sig.params, Type(a))
			}
		}
		all[col[0]] = sig
	}
	return all
}
