package tracer

import (
	"bytes"
	"strings"

	"meshdiag/crash"
)

// pageTraits reads /proc/PID/smaps (proc(5)) into the mappings: what a core holds of a mapping depends on more than maps
// tells. It costs a walk over the page tables, so that it is done only for a core. Mappings that are not found in it keep
// their traits unknown.
func pageTraits(tid int, maps []crash.Mapping) {
	data, err := procFile(tid, "smaps")
	if err != nil {
		return
	}
	at := make(map[uint64]*crash.Mapping, len(maps))
	for i := range maps {
		at[maps[i].Start] = &maps[i]
	}
	parseSmaps(data, func(head crash.Mapping, traits crash.Traits) {
		if m := at[head.Start]; m != nil && m.End == head.End {
			m.Traits = traits
		}
	})
}

// parseSmaps calls each for every mapping: a line as in maps, then lines "Key: value" up to VmFlags, the last one.
func parseSmaps(data []byte, each func(crash.Mapping, crash.Traits)) {
	var head crash.Mapping
	var traits crash.Traits
	open := false
	for raw := range bytes.Lines(data) {
		line := strings.TrimSuffix(string(raw), "\n")
		key, value, isField := strings.Cut(line, ":")
		if !isField || strings.Contains(key, " ") { // "08:02" of a device stands behind blanks
			m, ok := parseMapsLine(line)
			head, traits, open = m, crash.TraitsKnown, ok
			continue
		}
		switch key {
		case "Anonymous", "Swap":
			if !strings.HasPrefix(strings.TrimLeft(value, " "), "0 ") {
				traits |= crash.OwnPages
			}
		case "VmFlags":
			for flag := range strings.FieldsSeq(value) {
				switch flag {
				case "dd", "io": // VM_DONTDUMP, VM_IO
					traits |= crash.DontDump
				case "ht":
					traits |= crash.HugePages
				}
			}
			if open {
				each(head, traits)
			}
			open = false
		}
	}
}
