package symbols

import (
	"hash/crc32"
	"path/filepath"
)

const systemDebugDir = "/usr/lib/debug"

// debugFile returns the separate debug information of m, nil when there is none. It is looked for once, the way gdb
// does: by build ID, then by the name in .gnu_debuglink, then far away. Callers stand inside a fence.
func (s *Symbolizer) debugFile(m *Module) *elfFile {
	if !m.debugTried {
		m.debugTried = true
		m.debug = s.localDebug(m)
	}
	if m.debug == nil && s.opts.Fetch != nil {
		m.debug = s.fetchedDebug(m)
	}
	return m.debug
}

func (s *Symbolizer) localDebug(m *Module) *elfFile {
	dirs := s.opts.DebugDirs
	if s.opts.Sysroot != "" {
		dirs = append(dirs[:len(dirs):len(dirs)], filepath.Join(s.opts.Sysroot, systemDebugDir))
	}
	dirs = append(dirs[:len(dirs):len(dirs)], systemDebugDir)
	if len(m.BuildID) > 2 {
		for _, dir := range dirs {
			path := filepath.Join(dir, ".build-id", m.BuildID[:2], m.BuildID[2:]+".debug")
			if f, err := openELF(path); err == nil {
				if f.id == m.BuildID {
					return f
				}
				f.close()
			}
		}
	}
	return s.debugLink(m, dirs)
}

// debugLink follows .gnu_debuglink (gdb manual, "Separate Debug Files"): a file name and the CRC-32 of that file.
func (s *Symbolizer) debugLink(m *Module, dirs []string) *elfFile {
	if m.file == nil {
		return nil
	}
	_, b, err := m.file.section(".gnu_debuglink")
	if err != nil || len(b) == 0 {
		return nil
	}
	c := cursor{buf: b}
	name := filepath.Base(string(c.cstr()))
	c.off = (c.off + 3) &^ 3
	want := c.u32()
	if c.err != nil || name == "." || name == "/" {
		return nil
	}
	folder := filepath.Dir(m.Path)
	places := []string{filepath.Join(folder, name), filepath.Join(folder, ".debug", name)}
	for _, dir := range dirs {
		places = append(places, filepath.Join(dir, folder, name))
	}
	for _, path := range places {
		f, err := openELF(path)
		if err != nil {
			continue
		}
		if path == m.file.path || !f.belongs(m, want) {
			f.close()
			continue
		}
		return f
	}
	return nil
}

// belongs checks a debug file by build ID where both have one, else by its checksum.
func (f *elfFile) belongs(m *Module, crc uint32) bool {
	if f.id != "" && m.BuildID != "" {
		return f.id == m.BuildID
	}
	return crc32.ChecksumIEEE(f.data) == crc
}
