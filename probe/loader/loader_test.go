package loader

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCacheAsLdconfigReadsIt compares the cache with what its own tool prints of it.
func TestCacheAsLdconfigReadsIt(t *testing.T) {
	out, err := exec.Command("/sbin/ldconfig", "-p").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[entry]bool{}
	for line := range strings.Lines(string(out)) {
		soname, rest, ok := strings.Cut(strings.TrimSpace(line), " (libc6,x86-64")
		_, path, arrow := strings.Cut(rest, " => ")
		if ok && arrow {
			want[entry{soname, path}] = true
		}
	}
	got := readCache(CachePath)
	if len(want) < 10 || len(got) != len(want) {
		t.Fatalf("%d entries, ldconfig has %d", len(got), len(want))
	}
	for _, e := range got {
		if !want[e] {
			t.Errorf("ldconfig does not know %+v", e)
		}
	}
}

// TestTreeAsTheLoaderLoadsIt compares the walk over the files with what the loader itself does.
func TestTreeAsTheLoaderLoadsIt(t *testing.T) {
	for _, program := range []string{"/bin/ls", "/usr/bin/gdb", "/usr/bin/perl", "/usr/bin/git"} {
		if _, err := os.Stat(program); err != nil {
			continue
		}
		out, err := exec.Command("/lib64/ld-linux-x86-64.so.2", "--list", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) >= 3 && f[1] == "=>" {
				want[f[0]] = f[2]
			}
		}
		w := World{Program: program, Dir: "/"}
		got := w.Tree()
		if len(got) != len(want) || len(want) == 0 {
			t.Errorf("%s: %d libraries, the loader has %d", program, len(got), len(want))
		}
		for _, n := range got {
			if !sameFile(n.Found.Path, want[n.Name]) {
				t.Errorf("%s: %s is %q, the loader takes %q", program, n.Name, n.Found.Path, want[n.Name])
			}
		}
	}
}

func sameFile(a, b string) bool {
	sa, err1 := os.Stat(a)
	sb, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(sa, sb)
}

func TestSymbolsAndVersions(t *testing.T) {
	const libc = "/lib/x86_64-linux-gnu/libc.so.6"
	if _, err := os.Stat(libc); err != nil {
		t.Fatal(err)
	}
	if !Defines(libc, "strlen", "") || !Defines(libc, "strlen", "GLIBC_2.2.5") {
		t.Error("strlen is not seen")
	}
	if Defines(libc, "strlen", "GLIBC_2.3") || Defines(libc, "no_such_function_anywhere", "") {
		t.Error("something is seen that is not there")
	}
	out, err := exec.Command(libc).Output() // says its own version
	if err != nil {
		t.Fatal(err)
	}
	newest := Newest(Versions(libc), "GLIBC")
	if _, number, _ := strings.Cut(newest, "_"); newest == "" || !strings.Contains(string(out), "version "+number) {
		t.Errorf("newest is %q; libc says %s", newest, out)
	}
	if v := Newest([]string{"GLIBC_2.9", "GLIBC_2.36", "GLIBC_PRIVATE", "GLIBCXX_3.4"}, "GLIBC"); v != "GLIBC_2.36" {
		t.Error(v)
	}
}

// TestUnfit says why files are no libraries, without waiting for any.
func TestUnfit(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	lfs := filepath.Join(dir, "lfs")
	if err := os.WriteFile(lfs, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "it is not a regular file", dir: "it is a directory", dir + "/x": "it does not exist",
		lfs: "git-lfs", "/dev/zero": "it is not a regular file", "/lib/x86_64-linux-gnu/libc.so.6": ""} {
		if got := Unfit(path); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// TestMuslSearch asks where musl's loader would look, for a program that was built for it by changing PT_INTERP.
func TestMuslSearch(t *testing.T) {
	dir := t.TempDir()
	run := exec.Command("sh", "-ec", `echo 'int f(void){return 0;}' > f.c; gcc -shared -fPIC -o libpart.so f.c
echo 'int f(void); int main(void){return f();}' > m.c; gcc -o app m.c -L. -lpart -Wl,-rpath,/build/gone -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1`)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	w := World{Program: filepath.Join(dir, "app"), Dir: dir, Env: []string{"LD_LIBRARY_PATH=/first"}}
	tree := w.Tree()
	if len(tree) == 0 || tree[0].Name != "libpart.so" {
		t.Fatalf("%+v", tree)
	}
	var got []string
	for _, p := range tree[0].Found.Places {
		got = append(got, p.From+" "+filepath.Dir(p.Path))
	}
	want := []string{"LD_LIBRARY_PATH /first", "RUNPATH of " + w.Program + " /build/gone", "default /lib", "default /usr/local/lib", "default /usr/lib"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestConfigured(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"ld.so.conf": "include sub/*.conf\n/opt/a # mine\n", "sub/x.conf": "/opt/b/\ninclude ../ld.so.conf\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for folder, want := range map[string]bool{"/opt/a": true, "/opt/b": true, "/opt/c": false} {
		left := maxIncludes
		if configured(filepath.Join(dir, "ld.so.conf"), folder, &left) != want {
			t.Errorf("%s: %v", folder, !want)
		}
	}
}

func FuzzCache(f *testing.F) {
	if data, err := os.ReadFile(CachePath); err == nil {
		f.Add(data[:min(len(data), 4096)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, e := range parseCache(data) {
			if e.soname == "" || e.path == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}

// FuzzFile reads ELF files that are damaged anywhere.
func FuzzFile(f *testing.F) {
	if data, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(data[:4096], 100, byte(3))
	}
	path := filepath.Join(f.TempDir(), "lib")
	f.Fuzz(func(t *testing.T, data []byte, at int, b byte) {
		if at >= 0 && at < len(data) {
			data[at] = b
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = Open(path)
		Unfit(path)
		Defined(path)
		Wanted(path)
		Versions(path)
		Renamed(path, "a_bcd")
		Defines(path, "main", "")
	})
}
