package symbols

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// eachTable calls f for every symbol table of a Rust program and of the C library.
func eachTable(t *testing.T, f func(path string, table *symbolTable)) {
	for _, path := range []string{buildCoro(t, "debug"), systemLibrary(t, "libc.so.6")} {
		s, m := fileModule(t, path)
		m.debugTried = true
		err := m.read(func() error {
			for _, table := range s.tablesOf(m).tables {
				f(path, table)
			}
			if len(s.tablesOf(m).tables) == 0 {
				return fmt.Errorf("%s has no symbol table", path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestScanLikeHash asks for names by going through the records, and by the table of hashes.
func TestScanLikeHash(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	eachTable(t, func(path string, table *symbolTable) {
		table.buildHash()
		for range 400 {
			e, _ := table.at(random.IntN(table.count()))
			name := string(table.nameBytes(e.name))
			want, wantFunc, found := table.find(name)
			if got, isFunc, ok := table.scanName(name); got != want || isFunc != wantFunc || ok != found {
				t.Errorf("%s: %s: scanned %+v, hashed %+v", path, name, got, want)
			}
		}
		if e, _, ok := table.scanName("no such name"); ok {
			t.Errorf("%s: a name that is nowhere is %+v", path, e)
		}
	})
}

func TestSortedByOrder(t *testing.T) {
	eachTable(t, func(path string, table *symbolTable) {
		for _, entries := range [][]symEntry{table.functions(), table.objects()} {
			if !slices.IsSortedFunc(entries, table.order) {
				t.Errorf("%s: %d entries are not in order", path, len(entries))
			}
		}
	})
}

func TestCollectedBothWays(t *testing.T) {
	eachTable(t, func(path string, table *symbolTable) {
		for _, funcs := range []bool{true, false} {
			if fast, slow := table.collect(funcs), table.collectSlowly(funcs); !slices.EqualFunc(fast, slow, func(a, b symEntry) bool { return table.order(a, b) == 0 }) {
				t.Errorf("%s: the two ways to sort differ", path)
			}
		}
	})
}
