package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// delve is the version of Go's debugger that written cores are held against. It is built by itself, so that the many modules
// that it stands on do not become this project's.
const delve = "github.com/go-delve/delve/cmd/dlv@v1.27.2"

// Delve builds dlv into the cache and returns its path. The first time it needs a Go proxy.
func Delve(ctx context.Context) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir, err := locked(ctx, cache, filepath.Join("tools", contentKey(delve)), func(dir string) error {
		cmd := exec.CommandContext(ctx, "go", "install", delve)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go install %s: %w\n%s", delve, err, out)
		}
		return nil
	})
	return filepath.Join(dir, "dlv"), err
}
