package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"meshdiag/lab"
	"meshdiag/report"
)

// labFault is the lab's fault whose core is read: its server dies with all of its threads running.
const labFault = "truncated-pool"

// dump is a core, the program that left it, and the function in whose name every reader's output is checked.
type dump struct {
	title    string
	core     string
	exe      string
	function string
}

// addDelve builds dlv, which Debian has no package of, and puts it into the search path.
func addDelve() {
	dlv, err := lab.Delve(context.Background())
	if err != nil {
		fmt.Printf("dlv cannot be built: %v\n", err)
		return
	}
	if err := os.Setenv("PATH", os.Getenv("PATH")+":"+filepath.Dir(dlv)); err != nil {
		fmt.Println(err)
	}
}

// cores compares the readers of core dumps on the same cores.
func cores(meshdiag, dir string, rounds int) error {
	// The network is no part of this.
	if err := os.Unsetenv("DEBUGINFOD_URLS"); err != nil {
		return err
	}
	fmt.Printf("\nCore dumps, %d interleaved rounds, medians; the cores are in the page cache\n", rounds)
	if _, err := exec.LookPath("dlv"); err != nil {
		addDelve()
	}
	for _, tool := range []string{"eu-stack", "gdb", "dlv"} {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Printf("%s is not installed: no comparison with it\n", tool)
		}
	}
	programs := []struct{ title, source, function string }{
		{"A small C crash", "diagnose/testdata/victims/null.c", "greet"},
		{"8 GiB of memory, a page in 64 MiB touched", "bench/speed/testdata/sparse.c", "lookup"},
		{"1,000 threads", "bench/speed/testdata/threads.c", "lookup"},
	}
	for _, p := range programs {
		d, err := programDump(meshdiag, dir, p.source)
		if err != nil {
			return err
		}
		d.title, d.function = p.title+", "+d.title, p.function
		if err := compareReaders(meshdiag, dir, d, rounds); err != nil {
			return err
		}
	}
	d, err := labDump(meshdiag, dir)
	if err != nil {
		fmt.Printf("\nNo core of the lab's server: %v\n", err)
		return nil
	}
	return compareReaders(meshdiag, dir, d, rounds)
}

// programDump compiles a C program, lets it die, and returns the kernel's core of it, or our own where the kernel's go
// elsewhere. The title says which.
func programDump(meshdiag, dir, source string) (*dump, error) {
	exe, err := compile(dir, source, "-g", "-O1", "-pthread")
	if err != nil {
		return nil, err
	}
	d := &dump{title: "the kernel's core", core: exe + ".core", exe: exe}
	if kernelCore(d) == nil {
		return d, nil
	}
	d.title = "core by run --save-core"
	out, _ := exec.Command(meshdiag, "run", "--no-probe", "--save-core", d.core, "--", exe).CombinedOutput()
	if _, err := os.Stat(d.core); err != nil {
		return nil, fmt.Errorf("no core of %s: %w\n%s", source, err, out)
	}
	return d, nil
}

// kernelCore lets the program die in a folder of its own and takes the core that it finds there.
func kernelCore(d *dump) error {
	world := d.exe + ".d"
	if err := os.Mkdir(world, 0o700); err != nil {
		return err
	}
	_ = exec.Command("sh", "-c", `cd "$1" && ulimit -c unlimited && exec "$2"`, "sh", world, d.exe).Run()
	found, err := filepath.Glob(filepath.Join(world, "core*"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("%d cores in %s (%v)", len(found), world, err)
	}
	return os.Rename(found[0], d.core)
}

// labDump lets a fault kill the lab's server and returns the core that meshdiag saved.
func labDump(meshdiag, dir string) (*dump, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		return nil, err
	}
	defer pg.Stop()
	fault, err := lab.Find(labFault)
	if err != nil {
		return nil, err
	}
	s, err := lab.NewScenario(ctx, fault, lab.Variant{}, pg)
	if err != nil {
		return nil, err
	}
	defer s.Cleanup()
	core := filepath.Join(dir, "mesher.core")
	wrap := []string{meshdiag, "run", "--no-probe", "-o", filepath.Join(dir, "mesher.txt"), "--save-core", core}
	result, err := lab.Run(ctx, s, wrap)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(core); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, result.Stderr)
	}
	return &dump{"The lab's server (" + labFault + "), core by run --save-core", core, s.Path, s.Label.Blame[0]}, nil
}

// compareReaders measures every reader that is installed and names the function that died.
func compareReaders(meshdiag, dir string, d *dump, rounds int) error {
	info, err := os.Stat(d.core)
	if err != nil {
		return err
	}
	commands := readers(meshdiag, dir, d)
	fmt.Printf("\n%s: %.1f MiB long, %.1f MiB on disk\n", d.title, float64(info.Size())/(1<<20),
		float64(info.Sys().(*syscall.Stat_t).Blocks)*512/(1<<20))
	stacks, err := reported(meshdiag, dir, d)
	if err != nil {
		return err
	}
	fmt.Printf("  stacks in meshdiag's report: %d; eu-stack, and gdb when asked for all, print every thread's\n", stacks)
	for _, c := range commands {
		if out, _ := exec.Command(c.argv[0], c.argv[1:]...).CombinedOutput(); !strings.Contains(string(out), d.function) {
			fmt.Printf("  %s does not name %s: its figures are those of a failure\n", c.name, d.function)
		}
	}
	figures, err := measure(commands, rounds)
	if err != nil {
		return err
	}
	table(commands, figures)
	fmt.Printf("  (peaks up to %.1f MiB may be this bench's own)\n", float64(floor())/(1<<20))
	ours := &figures[0]
	for i, c := range commands[1:] {
		theirs := &figures[i+1]
		fmt.Printf("  meshdiag / %-23s %6.2f times the time, %.2f times the memory\n", c.name,
			ours.wall().Seconds()/theirs.wall().Seconds(), float64(ours.peak())/float64(theirs.peak()))
	}
	return nil
}

// reported is the number of threads whose stacks are in the report: of many threads it holds some.
func reported(meshdiag, dir string, d *dump) (int, error) {
	out := filepath.Join(dir, "core.json")
	said, _ := exec.Command(meshdiag, "core", "--exe", d.exe, "--format", "json", "-o", out, d.core).CombinedOutput()
	f, err := os.Open(out)
	if err != nil {
		return 0, fmt.Errorf("no report of %s: %w\n%s", d.core, err, said)
	}
	defer f.Close()
	r, err := report.ReadJSON(f)
	if err != nil {
		return 0, err
	}
	return len(r.Threads), os.Remove(out)
}

// readers is meshdiag first, then the others that are installed. eu-stack names functions only; with -i -s it adds inlined
// calls and source lines, as meshdiag and gdb do.
func readers(meshdiag, dir string, d *dump) []command {
	all := []command{
		{"meshdiag core", []string{meshdiag, "core", "--exe", d.exe, d.core}},
		{"eu-stack --core", []string{"eu-stack", "--core=" + d.core, "--executable=" + d.exe}},
		{"eu-stack --core -i -s", []string{"eu-stack", "-i", "-s", "--core=" + d.core, "--executable=" + d.exe}},
		{"gdb -batch -c -ex bt", []string{"gdb", "-nx", "-batch", "-c", d.core, "-ex", "bt", d.exe}},
		{"gdb thread apply all bt", []string{"gdb", "-nx", "-batch", "-c", d.core, "-ex", "thread apply all bt", d.exe}},
	}
	script := filepath.Join(dir, "dlv.script")
	if os.WriteFile(script, []byte("bt\nexit\n"), 0o600) == nil {
		all = append(all, command{"dlv core", []string{"dlv", "core", "--allow-non-terminal-interactive=true", "--init", script, d.exe, d.core}})
	}
	var installed []command
	for _, c := range all {
		if _, err := exec.LookPath(c.argv[0]); err == nil {
			installed = append(installed, c)
		}
	}
	return installed
}
