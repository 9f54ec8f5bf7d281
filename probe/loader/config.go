package loader

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// configPath names the folders that ldconfig(8) looks into.
const configPath = "/etc/ld.so.conf"

// maxIncludes bounds the files that a configuration includes, in depth and number.
const maxIncludes = 64

// Configured reports whether ldconfig looks into a folder, so that a library there is found once the cache is made anew.
func (w *World) Configured(dir string) bool {
	left := maxIncludes
	return configured(configPath, filepath.Clean(dir), &left)
}

func configured(path, dir string, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		line, _, _ := strings.Cut(scan.Text(), "#")
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[0] == "include" {
			pattern := fields[1]
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(filepath.Dir(path), pattern)
			}
			files, _ := filepath.Glob(pattern)
			for _, file := range files {
				if configured(file, dir, left) {
					return true
				}
			}
			continue
		}
		if len(fields) > 0 && filepath.Clean(fields[0]) == dir {
			return true
		}
	}
	return false
}

// Resolve is the file behind a name that the loader printed: a path, or a library's name.
func (w *World) Resolve(name string) string {
	if strings.Contains(name, "/") {
		return w.Abs(name)
	}
	for _, n := range w.Tree() {
		if n.Name == name && n.Found.Path != "" {
			return n.Found.Path
		}
	}
	return name
}
