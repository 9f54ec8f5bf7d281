package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"meshdiag/postmortem"
)

const coreFilterUsage = "which mappings the core holds: `BITS` as in /proc/PID/coredump_filter, core(5)"

// coreFilter is a flag for the kernel's bits.
type coreFilter postmortem.Filter

func (c *coreFilter) register(f *pflag.FlagSet) {
	*c = coreFilter(postmortem.DefaultFilter)
	f.Var(c, "core-filter", coreFilterUsage)
}

// String implements pflag.Value.
func (c *coreFilter) String() string { return fmt.Sprintf("%#x", uint(*c)) }

// Set implements pflag.Value.
func (c *coreFilter) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil || !postmortem.Filter(n).Valid() {
		return errors.New("must be a number from 0 to 0x7f")
	}
	*c = coreFilter(n)
	return nil
}

// Type implements pflag.Value.
func (c *coreFilter) Type() string { return "bits" }
