package lab

import (
	"fmt"

	"meshdiag/lab/mesher"
)

// Variant is one way to build the program. The zero value is the usual one: prefix mesh, O0, release runtime, the plan's
// start-up sequence.
type Variant struct {
	Prefix   string // "mesh" or "snow", the prefix of runtime symbols
	Opt      string // "O0" or "O2", the compiler's optimisation of Mesh code
	Runtime  string // "release" or "debug", the profile of the runtime archive
	Sequence string // "plan" or "current", the start-up sequence; a fault may fix it
}

// Complete fills empty fields with the usual values and refuses unknown ones.
func (v Variant) Complete() (Variant, error) {
	fields := []struct {
		name    string
		value   *string
		allowed []string
	}{
		{"prefix", &v.Prefix, []string{"mesh", "snow"}},
		{"opt", &v.Opt, []string{"O0", "O2"}},
		{"runtime", &v.Runtime, []string{"release", "debug"}},
		{"sequence", &v.Sequence, []string{string(mesher.Plan), string(mesher.Current)}},
	}
	for _, f := range fields {
		if *f.value == "" {
			*f.value = f.allowed[0]
		}
		if !contains(f.allowed, *f.value) {
			return v, fmt.Errorf("unknown %s %q: it is one of %v", f.name, *f.value, f.allowed)
		}
	}
	return v, nil
}

// String is the variant's short name, such as "mesh-O0-release-plan".
func (v Variant) String() string {
	return v.Prefix + "-" + v.Opt + "-" + v.Runtime + "-" + v.Sequence
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}
