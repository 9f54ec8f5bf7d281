package symbols

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"meshdiag/crash"
)

// fileModule opens a file as if it were mapped at its link-time addresses, without a process.
func fileModule(t testing.TB, path string) (*Symbolizer, *Module) {
	t.Helper()
	f, err := openELF(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	m := &Module{Path: path, Verified: true, Main: true, BuildID: f.id}
	m.setImage(crash.NoMemory{}, f.hdr)
	m.use(f)
	c := &crash.Crash{Memory: crash.NoMemory{}}
	for _, seg := range f.hdr.segments {
		if seg.typ == 1 {
			r := crash.Range{Start: seg.vaddr, End: seg.vaddr + seg.memsz}
			m.Ranges = append(m.Ranges, r)
			c.Mappings = append(c.Mappings, crash.Mapping{Range: r, Path: path})
		}
	}
	s := &Symbolizer{crash: c, rows: make(map[uint64]*rowEntry), modules: []*Module{m}}
	for _, r := range m.Ranges {
		s.spans = append(s.spans, moduleSpan{r, m})
	}
	return s, m
}

// systemLibrary finds a library that the C compiler would link.
func systemLibrary(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.Command("gcc", "-print-file-name="+name).Output()
	path := strings.TrimSpace(string(out))
	if _, statErr := os.Stat(path); err != nil || statErr != nil {
		t.Skipf("no %s here", name)
	}
	return path
}

// TestRowsLikeReadelf compares every row of whole libraries with what readelf makes of the same tables.
func TestRowsLikeReadelf(t *testing.T) {
	if _, err := exec.LookPath("readelf"); err != nil {
		t.Skip("no readelf")
	}
	paths := []string{systemLibrary(t, "libc.so.6"), systemLibrary(t, "ld-linux-x86-64.so.2"), systemLibrary(t, "libstdc++.so.6")}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			s, _ := fileModule(t, path)
			cmd := exec.Command("readelf", "--debug-dump=frames-interp", path)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			rows, bad := 0, 0
			eachReadelfRow(out, func(loc uint64, want map[string]string) {
				rows++
				got := s.rowAt(loc)
				if diff := compareRow(got, want); diff != "" && bad < 5 {
					bad++
					t.Errorf("%#x: %s\n readelf: %v\n ours:    %v %v", loc, diff, want, got.row, got.err)
				}
			})
			_ = cmd.Wait()
			t.Logf("%d rows", rows)
			if rows < 1000 {
				t.Errorf("readelf showed only %d rows", rows)
			}
		})
	}
}

// eachReadelfRow parses readelf's tables: a header naming the columns, then a line for each row.
func eachReadelfRow(out interface{ Read([]byte) (int, error) }, fn func(loc uint64, want map[string]string)) {
	var columns []string
	isFDE := false
	for sc := bufio.NewScanner(out); sc.Scan(); {
		fields := strings.Fields(sc.Text())
		switch {
		case len(fields) > 3 && (fields[3] == "FDE" || fields[3] == "CIE"):
			isFDE, columns = fields[3] == "FDE", nil
		case len(fields) > 1 && fields[0] == "LOC":
			columns = fields
		case len(fields) == 0:
			columns = nil
		case isFDE && columns != nil && len(fields) == len(columns):
			loc, err := strconv.ParseUint(fields[0], 16, 64)
			if err != nil {
				continue
			}
			want := make(map[string]string)
			for i := 1; i < len(fields); i++ {
				want[columns[i]] = fields[i]
			}
			fn(loc, want)
		}
	}
}

// compareRow tells how an entry differs from readelf's columns. readelf prints "u" for undefined and unspecified alike.
func compareRow(got *rowEntry, want map[string]string) string {
	if got.row == nil {
		return "no row"
	}
	for column, text := range want {
		var ours string
		switch column {
		case "CFA":
			ours = got.row.cfa.String()
		case "ra":
			ours = got.row.regs[crash.RIP].String()
		default:
			n := registerNamed(column)
			if n < 0 {
				continue // a vector or flags register
			}
			ours = got.row.regs[n].String()
		}
		if ours == "-" {
			ours = "u"
		}
		if ours != text {
			return fmt.Sprintf("%s is %s, should be %s", column, ours, text)
		}
	}
	return ""
}

func registerNamed(name string) crash.RegNum {
	for n := crash.RegNum(0); n < crash.RIP; n++ {
		if n.String() == name {
			return n
		}
	}
	return -1
}
