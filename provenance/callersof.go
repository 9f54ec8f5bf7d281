package provenance

import (
	"bytes"
	"encoding/binary"

	"meshdiag/crash"
)

const (
	callRel32     = 0xe8 // call with a 32-bit displacement (Intel SDM, vol. 2, CALL)
	callRel32Size = 5
	scanChunk     = 1 << 20 // bytes of code that are looked through at a time
	maxScanned    = 64 << 20
)

// CallersOf finds direct calls of functions in a range of code, by address of the function. It looks for the bytes of such
// calls, and then whether the function around them really has an instruction there. At most max sites come back.
func (a *Analyzer) CallersOf(targets map[uint64]bool, in crash.Range, max int) (sites []uint64) {
	for from := in.Start; from < in.End && from-in.Start < maxScanned && len(sites) < max; from += scanChunk {
		n := min(scanChunk+callRel32Size-1, in.End-from)
		code, _, _ := a.code.Code(from, int(n))
		for i := 0; i+callRel32Size <= len(code) && len(sites) < max; i++ {
			next := bytes.IndexByte(code[i:len(code)-callRel32Size+1], callRel32)
			if next < 0 {
				break
			}
			i += next
			at := from + uint64(i)
			to := at + callRel32Size + uint64(int64(int32(binary.LittleEndian.Uint32(code[i+1:]))))
			if i < scanChunk && targets[a.resolve(to)] && a.CallAt(at, -1).Insn != "" {
				sites = append(sites, at)
			}
		}
	}
	return sites
}
