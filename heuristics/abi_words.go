package heuristics

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// absurdSize is more memory than any machine has: a request for it is a pointer or text read as a length.
const absurdSize = 1 << 40

// abiFromWords: no address was bad, but the words of a panic hold a number that is an address or text. The runtime was
// given something of another shape and refused it.
func (c *Case) abiFromWords() []*Hypothesis {
	v := c.facts()
	if v.panic == nil {
		return nil
	}
	if size := failedAllocation(v.panic.Message); size != 0 {
		return c.abiFromSize(size)
	}
	n, ok := c.addressIn(v.panic.Message)
	if !ok {
		return nil
	}
	symbol, extern := v.suspectSymbol(), ""
	if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
	}
	h := c.abi(kindType, symbol, extern)
	h.fact(true, "address-refused", "value", wAddressRefused, "the number %d that was refused is the address %s", n, hex(n))
	return []*Hypothesis{c.describeABI(h, fmt.Sprintf("%s passes an address to %s where a number belongs", c.readable(symbol), c.readable(extern)),
		fmt.Sprintf("The words %q hold a number that is an address in this process.", v.panic.Message))}
}

// abiFromSize: a failed allocation asked for a size that is text or an address.
func (c *Case) abiFromSize(size uint64) []*Hypothesis {
	if size < absurdSize {
		return nil
	}
	v := c.facts()
	text := printable(size)
	symbol, extern := v.suspectSymbol(), ""
	if v.operation >= 0 {
		extern = v.stack.symbol(v.operation)
	}
	h := hypothesis(idABI, kindPtrAsAgg)
	if caller, callee, takes, sets := c.pairPassedAsOne(); callee != "" {
		symbol = caller
		h.fact(true, "fewer-words", "shape", wFewerWords, "%s takes %s, and %s passes it %d: one address in place of the words of a value",
			c.readable(callee), plural(takes, "word"), c.readable(caller), sets)
	} else if text != "" {
		h.Kind = kindOffset
	}
	c.blame(h, symbol, extern)
	h.fact(text != "", "size-is-text", "value", wSizeIsText, "the size %s is the text %q: characters were read as a length", hex(size), text)
	h.fact(text == "" && c.pointerTo(size), "size-is-pointer", "value", wSizeIsPointer, "the size %s is an address: a pointer was read as a length", hex(size))
	h.fact(text == "" && !c.pointerTo(size), "size-is-absurd", "value", wSizeIsAbsurd, "%d bytes is no length of anything", size)
	h.fact(v.is(unix.SIGABRT), "abort-signal", "end", wAbortSignal, "the allocation failed, and the process ended itself with SIGABRT")
	return []*Hypothesis{c.describeABI(h, fmt.Sprintf("%s was given an object of another shape: what it read as a length is none", c.readable(extern)),
		"An allocation of an absurd size failed; the size is content of a value, read at the place of its length.")}
}

// pairPassedAsOne is a call between two functions of the program, running or made just before, in which the callee takes
// more words than the caller sets; callee is "" when there is none.
func (c *Case) pairPassedAsOne() (caller, callee string, takes, sets int) {
	v := c.facts()
	for i := range c.Calls {
		k := &c.Calls[i]
		if k.Indirect || k.Frame < max(v.suspect, 0) || !c.ownFrame(v.stack, k.Frame) || !c.isProgram(k.Callee) {
			continue
		}
		f := c.calleeOf(k, k.CalleeLo, k.Callee)
		s := site{call: k, callee: f}
		if n := preparedCount(k); s.takes() > n && n > 0 {
			return v.stack.symbol(k.Frame), k.Callee, s.takes(), n
		}
	}
	return "", "", 0, 0
}

// addressIn finds a number in words that is an address of the process's data.
func (c *Case) addressIn(words string) (uint64, bool) {
	for field := range strings.FieldsFuncSeq(words, func(r rune) bool { return r < '0' || r > 'z' || r > '9' && r < 'A' }) {
		n, err := strconv.ParseUint(field, 0, 64)
		if err == nil && n >= absurdSize && c.pointerTo(n) {
			return n, true
		}
	}
	return 0, false
}

// printable is a word as text when all its bytes up to trailing zeros are printable ASCII and there are at least four.
func printable(w uint64) string {
	var b []byte
	for ; w != 0; w >>= 8 {
		ch := byte(w)
		if ch < 0x20 || ch > 0x7e {
			return ""
		}
		b = append(b, ch)
	}
	if len(b) < 4 {
		return ""
	}
	return string(b)
}
