package postmortem

import (
	"bytes"
	"encoding/binary"
	"strings"

	"meshdiag/crash"
)

const (
	maxStrings = 4096     // arguments and environment variables each
	maxString  = 64 << 10 // bytes of one
	stackTop   = 2 << 20  // how much of the main stack's top is searched for the auxiliary vector
)

// identify finds the program's path, arguments and environment.
func identify(c *crash.Crash, n *notes) {
	if addr, ok := c.Auxv[atExecFn]; ok {
		if s, err := crash.ReadCString(c.Memory, addr, 4096); err == nil {
			c.Target.Path = s
		}
	}
	// The file that holds the program headers is the executable, whatever name it was started by.
	if addr, ok := c.Auxv[atPhdr]; ok {
		if m, ok := c.MappingAt(addr); ok && strings.HasPrefix(m.Path, "/") {
			c.Target.ExePath = m.Path
		}
	}
	c.Target.Args, c.Target.Env = initialStack(c)
	if c.Target.Args == nil && n.process != nil && n.process.Args != "" {
		c.Target.Args = strings.Fields(n.process.Args)
	}
	if c.Target.Path == "" {
		c.Target.Path = c.Target.ExePath
	}
	if c.Target.Path == "" && len(c.Target.Args) > 0 {
		c.Target.Path = c.Target.Args[0]
	}
}

// initialStack reads argv and envp from where the kernel put them: argc, argv, 0, envp, 0, auxiliary vector, upwards from
// the first stack pointer (psABI, figure 3.9). The vector is found by its own contents, then read downwards.
func initialStack(c *crash.Crash) (args, env []string) {
	at := findAuxv(c)
	if at == 0 {
		return nil, nil
	}
	ends := at - 8
	env, ends = stringsBelow(c, ends)
	if ends == 0 {
		return nil, env
	}
	args, _ = stringsBelow(c, ends)
	return args, env
}

// stringsBelow reads the strings of a pointer array that ends with the zero word at end, downwards to the zero word or the
// count before it, and returns where that stands; 0 when the array cannot be read.
func stringsBelow(c *crash.Crash, end uint64) (list []string, stop uint64) {
	if v, err := crash.ReadUint64(c.Memory, end); err != nil || v != 0 {
		return nil, 0
	}
	for i := uint64(1); i <= maxStrings; i++ {
		p, err := crash.ReadUint64(c.Memory, end-8*i)
		if err != nil {
			return nil, 0
		}
		if p <= maxStrings { // the zero word before envp, or argc before argv
			reverse(list)
			return list, end - 8*i
		}
		s, err := crash.ReadCString(c.Memory, p, maxString)
		if err != nil {
			return nil, 0
		}
		list = append(list, s)
	}
	return nil, 0
}

func reverse(s []string) {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
}

// findAuxv is the address of the auxiliary vector on the main stack, 0 when it is not found. AT_PHDR with its value is
// a pair of words that stands nowhere else; the vector begins at most 64 entries before it.
func findAuxv(c *crash.Crash) uint64 {
	phdr, ok := c.Auxv[atPhdr]
	execfn, ok2 := c.Auxv[atExecFn]
	if !ok || !ok2 {
		return 0
	}
	m, ok := c.MappingAt(execfn)
	if !ok {
		return 0
	}
	// Between the vector and the file name stand the arguments and the environment, mostly a few kilobytes.
	for _, reach := range []uint64{16 << 10, stackTop} {
		if at := auxvWithin(c, max(m.Start, execfn-min(execfn, reach))&^15, execfn, phdr); at != 0 {
			return at
		}
	}
	return 0
}

// auxvWithin looks for the vector in a part of the stack.
func auxvWithin(c *crash.Crash, from, to, phdr uint64) uint64 {
	buf := make([]byte, to-from)
	got, _ := c.Memory.ReadMemory(buf, from)
	var want [16]byte
	binary.LittleEndian.PutUint64(want[:], atPhdr)
	binary.LittleEndian.PutUint64(want[8:], phdr)
	i := bytes.LastIndex(buf[:got], want[:])
	if i < 0 || i%8 != 0 {
		return 0
	}
	le := binary.LittleEndian
	for k := 0; k < 64 && i >= 16; k++ {
		key := le.Uint64(buf[i-16:])
		if v, known := c.Auxv[key]; key == 0 || !known || v != le.Uint64(buf[i-8:]) {
			break
		}
		i -= 16
	}
	if i < 16 {
		return 0 // envp's zero word and argc stand before it: the window begins inside of the vector
	}
	return from + uint64(i)
}
