// Command meshdiag says why a native program died: it runs the program, freezes it at the moment of the fault, and prints
// the cause with the evidence for it. Each subcommand has a file of its own and only wires flags to the packages that do the
// work; nothing here decides anything about a crash.
package main

import (
	"os"
	"runtime/debug"
)

// version is set by the linker (-X main.version=...).
var version = ""

// A report is made in a few milliseconds and tens of MiB: collecting less often saves a fifth of them for a few MiB. Where
// much memory is in use all the same, the limit brings the collector back to its usual thrift.
const (
	collectAt   = 400 // percent of growth
	memoryLimit = 256 << 20
)

func main() {
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(memoryLimit)
	os.Exit(execute(os.Args[1:]))
}

// toolVersion is what the linker said, or else what the Go toolchain recorded, or "dev".
func toolVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
