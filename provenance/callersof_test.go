package provenance

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"meshdiag/crash"
)

// Two functions hand something to a third that keeps it; the bytes of a call also stand in a constant, where none is.
const keeper = `
static void (*kept[3])(void);
static int n;
__attribute__((noinline)) void keep(void (*f)(void)) { kept[n++ % 3] = f; }
__attribute__((noinline)) void hello(void) { __asm__ volatile(""); }
__attribute__((noinline)) void first(void) { keep(hello); __asm__ volatile(""); }
__attribute__((noinline)) void second(void) { keep(hello); keep(0); __asm__ volatile(""); }
__attribute__((noinline)) long decoy(void) { long v; __asm__ volatile("movabs $0x00000000e8e8e8e8, %0" : "=r"(v)); return v; }
int main(void) { first(); second(); decoy(); for (int i = 0; i < 3; i++) kept[i](); return 0; }
`

func TestCallersOf(t *testing.T) {
	src := filepath.Join(t.TempDir(), "keeper.c")
	if err := os.WriteFile(src, []byte(keeper), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			watch(t, compile(t, b, src), nil, func(s *scene) {
				found, _, ok := s.sym.Find("keep")
				if !ok {
					t.Fatal("no symbol keep")
				}
				sym := found.Start
				m, _ := s.c.MappingAt(sym)
				var callers []string
				nulls := 0
				for _, site := range s.a.CallersOf(map[uint64]bool{sym: true}, m.Range, 10) {
					call := s.a.CallAt(site, -1)
					callers = append(callers, s.a.symbolAt(site))
					if p := call.Prepared[0]; p.ValueOK && p.Value == 0 {
						nulls++
					}
				}
				slices.Sort(callers)
				if !slices.Equal(callers, []string{"first", "second", "second"}) || nulls != 1 {
					t.Errorf("called by %q, %d with NULL", callers, nulls)
				}
				if got := s.a.CallersOf(map[uint64]bool{sym: true}, m.Range, 2); len(got) != 2 {
					t.Errorf("%d sites, at most 2 were asked for", len(got))
				}
				if got := s.a.CallersOf(map[uint64]bool{sym: true}, crash.Range{Start: m.Start, End: m.Start + 3}, 2); len(got) != 0 {
					t.Errorf("%d sites in three bytes", len(got))
				}
			})
		})
	}
}
