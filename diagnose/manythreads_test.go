package diagnose

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

const manyThreads = `
#include <pthread.h>
#include <unistd.h>
static volatile int started;
static void *rest(void *arg) { started++; pause(); return arg; }
__attribute__((noinline)) int first(int *v) { return *v; }
int main(void) {
	pthread_t t;
	for (int i = 0; i < 100; i++) pthread_create(&t, 0, rest, 0);
	while (started < 90) usleep(1000);
	return first(0);
}`

// TestManyThreadsAreCounted: a report says how many threads it leaves out.
func TestManyThreadsAreCounted(t *testing.T) {
	dir := t.TempDir()
	src, exe := filepath.Join(dir, "many.c"), filepath.Join(dir, "many")
	if err := os.WriteFile(src, []byte(manyThreads), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-O1", "-pthread", "-o", exe, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := diagnosed(t, exe)
	if !slices.Contains(r.Warnings, "The stacks of 36 of 101 threads were not read.") {
		t.Errorf("%d stacks, warnings %q", len(r.Threads), r.Warnings)
	}
}
