package diagnose

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"meshdiag/report"
)

// loaderWorld is a folder with programs and libraries in it.
type loaderWorld struct {
	*testing.T
	dir string
}

func (w loaderWorld) path(name string) string { return filepath.Join(w.dir, name) }

func (w loaderWorld) write(name, text string) {
	w.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(text), 0o755); err != nil {
		w.Fatal(err)
	}
}

// gcc compiles C text; words stand for files in the folder.
func (w loaderWorld) gcc(text, out string, flags ...string) {
	w.Helper()
	w.write(out, "")
	cmd := exec.Command("gcc", append([]string{"-x", "c", "-", "-x", "none", "-o", w.path(out)}, flags...)...)
	cmd.Dir, cmd.Stdin = w.dir, strings.NewReader(text)
	if message, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("%v: %v\n%s", cmd.Args, err, message)
	}
}

// shared compiles a library that defines functions.
func (w loaderWorld) shared(out, text string, flags ...string) {
	w.Helper()
	w.gcc(text, out, append([]string{"-shared", "-fPIC", "-Wl,-soname," + filepath.Base(out)}, flags...)...)
}

// user compiles a program that calls part_one of libpart.so.
func (w loaderWorld) user(flags ...string) {
	w.Helper()
	w.shared("libpart.so", "int part_one(void) { return 1; }")
	w.gcc("int part_one(void); int main(void) { return part_one() - 1; }", "app", append([]string{"-L" + w.dir, "-lpart"}, flags...)...)
}

const fromOrigin = "-Wl,-rpath,$ORIGIN"

// loaderFailures are failures of the dynamic loader by their real mechanisms.
var loaderFailures = []struct {
	name string
	make func(w loaderWorld)
	env  string   // LD_LIBRARY_PATH, relative to the folder
	say  []string // in title, evidence or advice; {} is the folder
}{
	{"library beside the program", func(w loaderWorld) { w.user() }, "",
		[]string{"The library libpart.so, which ", "It was sought in /etc/ld.so.cache, then the default folders", "libpart.so lies at {}/libpart.so", "LD_LIBRARY_PATH={} "}},
	{"library nowhere", func(w loaderWorld) { w.user(); os.Remove(w.path("libpart.so")) }, "",
		[]string{"no file called libpart.so was found"}},
	{"another version only", func(w loaderWorld) {
		w.user()
		if err := os.Rename(w.path("libpart.so"), w.path("libpart.so.2")); err != nil {
			w.Fatal(err)
		}
	}, "", []string{"only another version of it: {}/libpart.so.2"}},
	{"RUNPATH to a folder that is gone", func(w loaderWorld) { w.user("-Wl,-rpath,/build/gone"); os.Remove(w.path("libpart.so")) }, "other",
		[]string{"LD_LIBRARY_PATH ({}/other, no such folder), then RUNPATH of ", "(/build/gone, no such folder)"}},
	{"RPATH", func(w loaderWorld) {
		w.user("-Wl,--disable-new-dtags,-rpath,/build/gone")
		os.Remove(w.path("libpart.so"))
	}, "other",
		[]string{"RPATH of {}/app (/build/gone, no such folder), then LD_LIBRARY_PATH"}},
	{"library of a library", func(w loaderWorld) {
		w.shared("libinner.so", "int inner(void) { return 0; }")
		w.shared("libpart.so", "int inner(void); int part_one(void) { return inner(); }", "-L"+w.dir, "-linner")
		w.gcc("int part_one(void); int main(void) { return part_one(); }", "app", "-L"+w.dir, "-lpart", "-Wl,-rpath-link,"+w.dir, fromOrigin)
	}, "", []string{"{}/libpart.so needs libinner.so", "libinner.so lies at {}/libinner.so"}},
	{"library for another architecture", func(w loaderWorld) {
		w.user(fromOrigin)
		w.patch("libpart.so", 18, 183) // e_machine: EM_AARCH64
	}, "", []string{"{}/libpart.so was passed over: it is for another architecture: AArch64"}},
	{"32-bit library", func(w loaderWorld) {
		w.user(fromOrigin)
		w.patch("libpart.so", 4, 1) // EI_CLASS: ELFCLASS32
	}, "", []string{"wrong ELF class", "it is a 32-bit library"}},
	{"script for the linker", func(w loaderWorld) {
		w.user(fromOrigin)
		w.write("libpart.so", "/* GNU ld script */\nINPUT(libpart.so.1)\n"+strings.Repeat(" ", 100))
	}, "", []string{"{}/libpart.so is no library for this program: it is a script for the linker"}},
	{"empty library", func(w loaderWorld) { w.user(fromOrigin); w.write("libpart.so", "") }, "", []string{"{}/libpart.so is no library for this program: it is empty"}},
	{"symbol missing, an old copy is loaded", func(w loaderWorld) {
		w.user(fromOrigin)
		w.shared("target/release/libpart.so", "int part_one(void) { return 1; }")
		w.shared("libpart.so", "int part_two(void) { return 1; }")
	}, "", []string{"needs part_one, which {}/libpart.so does not define", "another copy of the library, {}/target/release/libpart.so, defines part_one", "LD_LIBRARY_PATH={}/target/release"}},
	{"symbol missing everywhere", func(w loaderWorld) {
		w.user(fromOrigin)
		w.shared("libpart.so", "int other(void) { return 1; }")
	}, "", []string{"no library near the program or in the system's cache defines part_one"}},
	{"symbol in a library that is not linked", func(w loaderWorld) {
		w.user(fromOrigin)
		w.shared("libpart.so", "int other(void) { return 1; }")
		w.shared("lib/libextra.so", "int part_one(void) { return 1; }")
	}, "", []string{"{}/lib/libextra.so defines part_one, but nothing loads it", "-lextra"}},
	{"prefix was renamed", func(w loaderWorld) {
		w.user(fromOrigin)
		w.shared("libpart.so", "int piece_one(void) { return 1; }")
	}, "", []string{"its functions begin with piece_, and the program wants part_"}},
	{"version of a symbol", func(w loaderWorld) {
		w.write("v.map", "PART_1 { global: part_one; local: *; };")
		w.shared("libpart.so", "int part_one(void) { return 1; }", "-Wl,--version-script,v.map")
		w.gcc("int part_one(void); int main(void) { return part_one() - 1; }", "app", "-L"+w.dir, "-lpart", fromOrigin)
		w.write("v.map", "PART_1 { local: *; }; PART_2 { global: part_one; } PART_1;")
		w.shared("libpart.so", "int part_one(void) { return 1; }", "-Wl,--version-script,v.map")
	}, "", []string{"part_one (version PART_1)", "defines part_one in another version only"}},
	{"version not found", func(w loaderWorld) {
		w.write("v.map", "PART_1 { global: part_old; }; PART_2 { global: part_one; local: *; } PART_1;")
		both := "int part_old(void) { return 0; } int part_one(void) { return 1; }"
		w.shared("libpart.so", both, "-Wl,--version-script,v.map")
		w.gcc("int part_one(void); int main(void) { return part_one() - 1; }", "app", "-L"+w.dir, "-lpart", fromOrigin)
		w.shared("lib/libpart.so", both, "-Wl,--version-script,v.map")
		w.write("v.map", "PART_1 { global: part_old; local: *; };")
		w.shared("libpart.so", "int part_old(void) { return 0; }", "-Wl,--version-script,v.map")
	}, "", []string{"needs PART_2, which {}/libpart.so does not have", "(for part_one)", "the newest that {}/libpart.so has is PART_1", "{}/lib/libpart.so has PART_2"}},
	{"started by a shell", func(w loaderWorld) {
		w.user()
		if err := os.Rename(w.path("app"), w.path("inner")); err != nil {
			w.Fatal(err)
		}
		w.write("app", "#!/bin/sh\n./inner\n")
	}, "", []string{"which ./inner needs", "libpart.so lies at {}/libpart.so"}},
	{"plugin that the program asks for and cannot do without", func(w loaderWorld) {
		w.gcc(`#include <dlfcn.h>
#include <stdio.h>
int main(void) { if (dlopen("libplugin.so", RTLD_NOW)) return 0; fprintf(stderr, "app: %s\n", dlerror()); return 1; }`, "app")
	}, "", []string{"the last it said is that something could not be loaded", "no file called libplugin.so was found"}},
}

// patch changes one byte of a file.
func (w loaderWorld) patch(name string, at int64, b byte) {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_RDWR, 0)
	if err != nil {
		w.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b}, at); err != nil {
		w.Fatal(err)
	}
}

// whole is all that a report says of its first cause.
func whole(r *report.Report) string {
	if len(r.Causes) == 0 {
		return ""
	}
	c := r.Causes[0]
	text := append([]string{c.Title, c.Summary}, c.Next...)
	for _, e := range c.Evidence {
		text = append(text, e.Text)
	}
	return strings.Join(text, "\n")
}

// inFolder runs ./app in its folder, by env(1), which becomes it: the tests can run beside each other.
func inFolder(t *testing.T, dir, library string) *report.Report {
	t.Helper()
	args := []string{"-C", dir}
	if library != "" {
		args = append(args, "LD_LIBRARY_PATH="+filepath.Join(dir, library))
	}
	return diagnosed(t, "/usr/bin/env", append(args, "./app")...)
}

func TestLoaderFailures(t *testing.T) {
	for _, f := range loaderFailures {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			w := loaderWorld{t, t.TempDir()}
			f.make(w)
			r := inFolder(t, w.dir, f.env)
			if len(r.Causes) == 0 || r.Causes[0].ID != "missing-extern" || str(r.Causes[0].Kind) != "load" || r.Causes[0].Confidence < 0.75 {
				t.Fatalf("%+v", r.Causes)
			}
			text := strings.ReplaceAll(whole(r), "./app", w.dir+"/app")
			for _, say := range f.say {
				if !strings.Contains(text, strings.ReplaceAll(say, "{}", w.dir)) {
					t.Errorf("it does not say %q:\n%s", say, text)
				}
			}
			if len(r.Causes[0].Next) == 0 {
				t.Error("nothing is said of what to do")
			}
		})
	}
}

// TestLoaderOnNoexecMount loads a library from a file system that is mounted noexec.
func TestLoaderOnNoexecMount(t *testing.T) {
	w := loaderWorld{t, t.TempDir()}
	w.user("-Wl,-rpath,$ORIGIN/mounted")
	if err := os.Mkdir(w.path("mounted"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", w.path("mounted"), "tmpfs", unix.MS_NOEXEC, "size=1m"); err != nil {
		t.Skipf("mounting takes root: %v", err)
	}
	defer func() { _ = unix.Unmount(w.path("mounted"), unix.MNT_DETACH) }()
	w.shared("mounted/libpart.so", "int part_one(void) { return 1; }")
	if text := whole(inFolder(t, w.dir, "")); !strings.Contains(text, w.path("mounted/libpart.so")+" lies on a file system that is mounted noexec") {
		t.Error(text)
	}
}

// TestLoaderIsNotBlamed runs programs that speak like the loader, or could not load what they can do without.
func TestLoaderIsNotBlamed(t *testing.T) {
	for name, text := range map[string]string{
		"harmless words": `#include <stdio.h>
int main(void) { puts("trader: symbol AAPL"); return 0; }`,
		"failure with words about symbols": `#include <stdio.h>
int main(void) { fprintf(stderr, "trader: symbol AAPL\ncannot quote it\n"); return 3; }`,
		"optional plugin, another failure": `#include <dlfcn.h>
#include <stdio.h>
int main(void) { dlopen("libplugin.so", RTLD_NOW); fprintf(stderr, "note: %s\nconfig.toml: no such section\n", dlerror()); return 2; }`,
		"optional plugin, and it crashes": `#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv) { dlopen("libplugin.so", RTLD_NOW); fprintf(stderr, "note: %s\n", dlerror()); return *(volatile int *)(argc - 1L); }`,
		"optional plugin, and all is well": `#include <dlfcn.h>
#include <stdio.h>
int main(void) { dlopen("libplugin.so", RTLD_NOW); fprintf(stderr, "note: %s\n", dlerror()); return 0; }`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := loaderWorld{t, t.TempDir()}
			w.gcc(text, "app")
			r := inFolder(t, w.dir, "")
			if slices.ContainsFunc(r.Causes, func(c report.Cause) bool { return c.ID == "missing-extern" && c.Confidence >= 0.4 }) {
				t.Errorf("%s", whole(r))
			}
			if healthy := strings.HasSuffix(name, "well") || strings.HasPrefix(name, "harmless"); healthy != (r.Outcome.Kind == "healthy") {
				t.Errorf("outcome %s", r.Outcome.Kind)
			}
		})
	}
}
