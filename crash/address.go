package crash

// CodeAddress is a place in code. Whether it is an interrupted instruction or a return address matters: the byte that a
// return address points to may already belong to the next function (a call that never returns at a function's very end).
type CodeAddress struct {
	Addr     uint64
	IsReturn bool // a return address: the instruction of interest is the call before it
}

// PC is an instruction that was being executed: the innermost frame, or one that a signal interrupted.
func PC(addr uint64) CodeAddress { return CodeAddress{Addr: addr} }

// ReturnAddress is an address that a call pushed.
func ReturnAddress(addr uint64) CodeAddress { return CodeAddress{Addr: addr, IsReturn: true} }

// Lookup is the address to use for symbols, lines and unwind rows.
func (a CodeAddress) Lookup() uint64 {
	if a.IsReturn && a.Addr > 0 {
		return a.Addr - 1
	}
	return a.Addr
}
