package provenance

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeProgram writes a C program that passes small numbers around in all the ways that compilers have to translate, and
// in the end uses one of them as a pointer.
func writeProgram(t testing.TB, seed int64) string {
	g := &generator{r: rand.New(rand.NewSource(seed))}
	path := filepath.Join(t.TempDir(), fmt.Sprintf("p%d.c", seed))
	if err := os.WriteFile(path, []byte(g.program()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

type generator struct {
	r    *rand.Rand
	out  strings.Builder
	vars []string
	n    int
	fns  int
}

func (g *generator) p(format string, args ...any) { fmt.Fprintf(&g.out, format+"\n", args...) }

const prelude = `
#define NOINLINE __attribute__((noinline, noclone))
struct box { long a, b, c; };
volatile long zero, sink;
long cells[8];
struct box store;
NOINLINE long use(long x) { return *(volatile long *)x; }
NOINLINE void put(long *p, long x) { *p = x; sink++; }
NOINLINE long pick(long k, long x, long y) { sink += k; return k ? x : y; }
NOINLINE long same(long x) { sink++; return x; }
NOINLINE struct box pack(long a, long b, long c) { struct box s = {a, b, c}; sink++; return s; }
NOINLINE long inner(struct box *s) { sink++; return s->b; }
NOINLINE long fresh(long k) { if (k > 7) return 4000; sink++; return 24; }
NOINLINE void busy(long a, long b) { sink += a * b; }
`

// program makes main and five functions that call the ones before them.
func (g *generator) program() string {
	g.p("%s", prelude)
	for g.fns = range 5 {
		g.function()
	}
	g.p("int main(int argc, char **argv) {\n\tlong r = f4(%d + zero, %d, argc * 8);\n\treturn use(r);\n}", g.small(), g.small())
	return g.out.String()
}

func (g *generator) small() int { return 8 + 8*g.r.Intn(400) }

func (g *generator) any() string { return g.vars[g.r.Intn(len(g.vars))] }

func (g *generator) fresh() string {
	g.n++
	v := fmt.Sprintf("v%d", g.n)
	return v
}

func (g *generator) function() {
	g.vars = []string{"a", "b", "c"}
	g.p("NOINLINE long f%d(long a, long b, long c) {", g.fns)
	for range 4 + g.r.Intn(6) {
		g.statement()
	}
	if g.r.Intn(4) == 0 || g.fns == 4 {
		g.p("\tsink += use(%s);", g.any())
	}
	g.p("\tsink++;\n\treturn %s;\n}", g.any())
}

func (g *generator) statement() {
	v := g.fresh()
	switch g.r.Intn(16) {
	case 0:
		g.p("\tlong %s = %s + %d;", v, g.any(), 8*g.r.Intn(5))
	case 1:
		g.p("\tlong %s = same(%s);", v, g.any())
	case 2:
		g.p("\tlong %s; put(&%s, %s);", v, v, g.any())
	case 3:
		g.p("\tlong %s = pick(zero + %d, %s, %s);", v, g.r.Intn(2), g.any(), g.any())
	case 4:
		g.p("\tstruct box s%s = pack(%s, %s, %s); long %s = s%s.%c;", v, g.any(), g.any(), g.any(), v, v, 'a'+rune(g.r.Intn(3)))
	case 5:
		g.p("\tstruct box s%s = {%s, %s, 8}; long %s = inner(&s%s);", v, g.any(), g.any(), v, v)
	case 6:
		g.p("\tlong %s = %s; if (zero) %s = %s;", v, g.any(), v, g.any())
	case 7:
		g.p("\tlong %s; if (sink > %d) %s = same(%s); else %s = fresh(%s);", v, g.r.Intn(9), v, g.any(), v, g.any())
	case 8:
		k := g.r.Intn(8)
		g.p("\tcells[%d] = %s; busy(%s, 3); long %s = cells[%d];", k, g.any(), g.any(), v, k)
	case 9:
		g.p("\tlong %s = fresh(zero + %d);", v, g.r.Intn(10))
	case 10:
		g.p("\tlong %s = %s; for (long i = 0; i < 3 + zero; i++) { busy(i, %s); %s += 8; }", v, g.any(), v, v)
	case 11:
		g.p("\tlong %s = (int)%s;", v, g.any())
	case 12:
		g.p("\tstore.b = %s; long %s = store.b;", g.any(), v)
	case 13:
		if g.fns > 0 {
			g.p("\tlong %s = f%d(%s, %s, %s);", v, g.r.Intn(g.fns), g.any(), g.any(), g.any())
			break
		}
		g.p("\tlong %s = %d;", v, g.small())
	case 14:
		g.p("\tlong %s; switch (zero + %d) { case 0: %s = %s; break; case 1: %s = %d; break; case 2: %s = same(%s); break; case 3: %s = %s + 8; break; case 4: %s = 16; break; default: %s = 32; }",
			v, g.r.Intn(6), v, g.any(), v, g.small(), v, g.any(), v, g.any(), v, v)
	default:
		g.p("\tbusy(%s, %s); long %s = %d;", g.any(), g.any(), v, g.small())
	}
	g.vars = append(g.vars, v)
}
