package probe

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runtimeSource is a small runtime whose code a linker changes in all the ways it does: calls, addresses of data, access
// through the global offset table and to thread-local memory.
const runtimeSource = `
#include <stdio.h>
#include <string.h>
extern int rt_counter;
int rt_counter = 3;
__thread int rt_local = 4;
static const char *names[] = {"one", "two"};
int rt_call(const char *s) { return (int)strlen(s) + rt_counter; }
int rt_data(int i) { printf("%s\n", names[i & 1]); return rt_counter++; }
int rt_tls(void) { return rt_local++; }
int (*rt_pointer(void))(const char *) { return rt_call; }
int rt_loop(int n) { int s = 0; for (int i = 0; i < n; i++) s += i * MORE; return s; }
`

const programSource = `int rt_call(const char *), rt_data(int), rt_tls(void), rt_loop(int); int (*rt_pointer(void))(const char *);
int main(void) { return rt_call("x") + rt_data(1) + rt_tls() + rt_loop(3) + rt_pointer()("y"); }`

// sh runs a shell in a folder.
func sh(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// runtimes makes two builds of the runtime and a program that was linked with the first.
func runtimes(t *testing.T, flags string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"rt.c": runtimeSource, "app.c": programSource} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sh(t, dir, `for n in 1 2; do gcc -c -O2 -fPIC -ffunction-sections -DMORE=$n `+flags+` rt.c -o rt.o; mkdir v$n; ar rcs v$n/librt.a rt.o; done
gcc -O1 `+flags+` app.c v1/librt.a -o app
sed 's/rt_tls/rt_other/g' rt.c > rt3.c; gcc -c -O2 -fPIC -ffunction-sections -DMORE=1 `+flags+` rt3.c -o rt.o; mkdir v3; ar rcs v3/librt.a rt.o`)
	return dir
}

func TestCompareArchive(t *testing.T) {
	for _, flags := range []string{"", "-static", "-no-pie", "-fcf-protection=none"} {
		dir := runtimes(t, flags)
		linked, err := codeOf(filepath.Join(dir, "app"), "rt_")
		if err != nil || len(linked) != 5 {
			t.Fatalf("%q: %v, %d functions", flags, err, len(linked))
		}
		for archive, want := range map[string][]string{"v1": nil, "v2": {"rt_loop"}, "v3": {"rt_tls"}} {
			o, err := compare(linked, filepath.Join(dir, archive, "librt.a"))
			if err != nil || !slices.Equal(o.differ, want) || o.made() != (want == nil) || o.missing != len(want)*strings.Count(archive, "3") {
				t.Errorf("%q %s: %v %+v", flags, archive, err, o)
			}
		}
	}
}

func TestArchiveIsProof(t *testing.T) {
	dir := runtimes(t, "")
	all := func(string) bool { return true }
	a := Artefact{Exe: filepath.Join(dir, "app"), Prefix: "rt_", Function: all}
	for _, tt := range []struct {
		name, touch string // what is done to dates: the words of touch(1)
		archives    []string
		id, say     string
		ok, hint    bool
	}{
		{"its own archive", "touch -d '1 hour ago' v1/librt.a", []string{"v1/librt.a"}, "artefact-archive", "the program has the code of", true, false},
		{"its own archive, copied since", "touch -d '1 hour' v1/librt.a", []string{"v1/librt.a"}, "artefact-archive", "the program has the code of", true, false},
		{"another archive", "touch -d '1 hour ago' v2/librt.a", []string{"v2/librt.a"}, "artefact-archive", "of 5 runtime functions 1 have other code there, such as rt_loop", false, false},
		{"another archive, newer", "touch -d '3 days' v2/librt.a", []string{"v2/librt.a"}, "artefact-archive", "the archive is newer by 3 days", false, false},
		{"an archive that lacks one", "", []string{"v3/librt.a"}, "artefact-archive", "or (1) are missing, such as rt_tls", false, false},
		{"two, linked with the older", "touch -d '2 days ago' v1/librt.a; touch v2/librt.a", []string{"v?/librt.a"}, "artefact-archive", "two runtime archives are near", false, true},
		{"two, linked with the newer", "touch -d '1 hour' v1/librt.a; touch -d '2 days ago' v2/librt.a v3/librt.a", []string{"v?/librt.a"}, "artefact-archive", "the program has the code of", true, false},
		{"no archive of its kind", "printf x > no.a; touch -d '1 day' no.a", []string{"no.a"}, "artefact-fresh", "a hint, no proof", false, true},
	} {
		sh(t, dir, "touch app; "+tt.touch)
		a.Parts.Archives = tt.archives
		got := Fresh(a)
		if len(got) != 1 || got[0].ID != tt.id || got[0].OK != tt.ok || got[0].Hint != tt.hint || !strings.Contains(got[0].Detail, tt.say) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte(arMagic + "/               0           0     0     0       16        `\n\x00\x00\x00\x01\x00\x00\x00\x54rt_call\x00" +
		"rt.o/           0           0     0     644     4         `\n\x7fELF"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		a, err := openArchive(bytes.NewReader(data), int64(len(data)), func(string) bool { return true })
		if err != nil {
			return
		}
		for name, at := range a.index {
			_, _ = a.functions(at, map[string]bool{name: true})
		}
	})
}
