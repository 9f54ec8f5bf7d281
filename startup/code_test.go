package startup

import (
	"errors"
	"testing"
	"time"

	"meshdiag/crash"
	"meshdiag/symbols"
)

// bytesCode is a program of one function made of any bytes; every address outside of it is a stub with a name.
type bytesCode struct {
	code  []byte
	names map[uint64]string
}

const codeAt = 0x401000

func (b *bytesCode) Find(name string) (symbols.Symbol, *symbols.Module, bool) {
	if name != "mesh_main" {
		return symbols.Symbol{}, nil, false
	}
	return symbols.Symbol{Name: name, Start: codeAt, Size: uint64(len(b.code))}, &symbols.Module{Main: true}, true
}

func (b *bytesCode) Lookup(a crash.CodeAddress) (symbols.Symbol, *symbols.Module, bool) {
	if a.Addr >= codeAt && a.Addr < codeAt+uint64(len(b.code)) { // every byte begins a function
		return symbols.Symbol{Name: "part", Start: a.Addr}, &symbols.Module{Main: true}, true
	}
	return symbols.Symbol{}, nil, false
}

func (b *bytesCode) FuncRange(addr uint64) (lo, hi uint64, how string, ok bool) {
	return addr, codeAt + uint64(len(b.code)), "symbol", addr >= codeAt
}

func (b *bytesCode) Code(addr uint64, n int) ([]byte, string, error) {
	if addr < codeAt || addr >= codeAt+uint64(len(b.code)) {
		return nil, "", errors.New("not mapped")
	}
	return b.code[addr-codeAt:][:min(n, len(b.code)-int(addr-codeAt))], "file", nil
}

func (b *bytesCode) PLTName(addr uint64) (string, bool) {
	name, ok := b.names[addr&7]
	return name, ok && addr < codeAt
}

func (b *bytesCode) GOTName(uint64) (string, bool) { return "mesh_println", true }

// FuzzBinary reads any bytes as the entry function: it ends, soon, and does not panic.
func FuzzBinary(f *testing.F) {
	f.Add([]byte{0xe8, 0, 0, 0, 0, 0xeb, 0xfe, 0xff, 0x25, 0, 0, 0, 0, 0xc3})
	f.Add([]byte{0x48, 0x8d, 0x3d, 1, 0, 0, 0, 0xe8, 0xf4, 0xf0, 0xff, 0xff, 0x0f, 0x84, 0xf0, 0xff, 0xff, 0xff})
	names := map[uint64]string{0: "mesh_string_new", 1: "mesh_println", 2: "mesh_panic", 3: "other"}
	p := load(f, "mesh")
	f.Fuzz(func(t *testing.T, code []byte) {
		c := &crash.Crash{Memory: crash.NoMemory{}, Focus: -1}
		from := time.Now()
		got, _ := Read(c, &bytesCode{code[:min(len(code), 4096)], names}, p, nil)
		if d := time.Since(from); d > 2*time.Second {
			t.Fatalf("took %v", d)
		}
		if len(got.Steps) > 2*maxSteps {
			t.Fatalf("%d steps", len(got.Steps))
		}
	})
}

// A function of many calls stays within bounds of time.
func TestLongFunction(t *testing.T) {
	var code []byte
	for range 40000 { // call to itself; conditional jump ahead
		code = append(code, 0xe8, 0, 0, 0, 0, 0x74, 0x05)
	}
	from := time.Now()
	Read(&crash.Crash{Memory: crash.NoMemory{}, Focus: -1}, &bytesCode{code: code}, load(t, "mesh"), nil)
	if d := time.Since(from); d > 10*time.Second {
		t.Errorf("took %v", d)
	} else {
		t.Logf("took %v", d)
	}
}
