package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// cacheDir is where artefacts are kept by content: $MESHDIAG_LAB_CACHE, or .cache/lab in the checkout.
func cacheDir() (string, error) {
	if dir := os.Getenv("MESHDIAG_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	src, err := sourceDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(src), ".cache", "lab"), nil
}

// contentKey is a short name for a list of inputs.
func contentKey(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))[:20]
}

// treeKey hashes the files of a source tree, by relative path, build outputs and tests left out.
func treeKey(dir string) (string, error) {
	var parts []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "target" || d.Name() == "tests" {
				return filepath.SkipDir
			}
			return nil
		}
		if ext := filepath.Ext(path); ext != ".rs" && ext != ".toml" && ext != ".lock" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		parts = append(parts, rel, string(data))
		return nil
	})
	return contentKey(parts...), err
}

// versions remembers the version texts of tools for the life of the process.
var versions sync.Map

// toolVersion is what a tool says of itself; it is part of every key.
func toolVersion(ctx context.Context, path string) (string, error) {
	if v, ok := versions.Load(path); ok {
		return v.(string), nil
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", path, err)
	}
	versions.Store(path, string(out))
	return string(out), nil
}

// locked runs build unless the artefact exists, under a lock that other processes respect too. build makes the artefact in a
// folder of its own, which becomes visible in one step: a killed build leaves nothing half done.
func locked(ctx context.Context, cache, name string, build func(dir string) error) (string, error) {
	final := filepath.Join(cache, name)
	if used(final) {
		return final, nil
	}
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, final+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if used(final) {
		return final, nil
	}
	tmp, err := os.MkdirTemp(filepath.Dir(final), ".new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return "", err
	}
	if err := build(tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, final); err != nil {
		return "", err
	}
	prune(filepath.Dir(final), maxKept, time.Now().Add(-keepFor))
	return final, nil
}

// used reports whether an artefact is there, and notes that it was needed now.
func used(path string) bool {
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

// lock takes an exclusive advisory lock; it is let go by unlock, or by the kernel when the process dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	got := make(chan error, 1)
	go func() { got <- unix.Flock(int(f.Fd()), unix.LOCK_EX) }()
	select {
	case err := <-got:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		// Whoever holds the lock ends some day; the file is closed then.
		go func() { <-got; f.Close() }()
		return nil, ctx.Err()
	}
}

// run runs a build tool; its output belongs to the error.
func run(ctx context.Context, dir string, env []string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return nil
}
