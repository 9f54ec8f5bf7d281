package symbols

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"meshdiag/crash"
)

// attachFile finds the file of m on disk and uses it when it is the one that is mapped; else m.Problem says why not. It is
// false when m is no program after all: memory did not show its header, and the file is something else.
func (s *Symbolizer) attachFile(m *Module) bool {
	if m.file != nil || m.Problem != "" {
		return true // the vDSO
	}
	deleted := s.deleted(m)
	var problem string
	for _, path := range s.candidates(m, deleted) {
		f, err := openELF(path.name)
		if err == nil {
			if err = s.accept(m, f, path.same); err == nil {
				m.Problem = ""
				return true
			}
			f.close()
		}
		if m.img == nil && path.name == m.Path && !deleted && errors.Is(err, errNotELF) {
			return false
		}
		if path.given && !errors.Is(err, fs.ErrNotExist) {
			m.Refused = sentence(path.name, err)
		}
		if problem == "" || !errors.Is(err, fs.ErrNotExist) {
			problem = sentence(path.name, err)
		}
	}
	if deleted {
		problem = "the file was deleted or replaced after the process mapped it; " + problem
	}
	m.Problem = problem
	return true
}

func sentence(path string, err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Sprintf("%s cannot be used: %v", path, err)
}

// File is the path of the file that is used for m; "" when there is none. It need not be where the process had it.
func (m *Module) File() string {
	if m.file == nil {
		return ""
	}
	return m.file.path
}

// candidate is a place where a module's file may be.
type candidate struct {
	name  string
	same  bool // it is the very file that is mapped, however it is named now
	given bool // the user said that it is there
}

func (s *Symbolizer) candidates(m *Module, deleted bool) []candidate {
	var out []candidate
	live := s.crash.Target.Source == crash.SourceLive && s.crash.Target.PID > 0
	if m.Main && s.opts.Exe != "" {
		out = append(out, candidate{name: s.opts.Exe, given: true})
	}
	if s.opts.Sysroot != "" {
		out = append(out, candidate{name: filepath.Join(s.opts.Sysroot, m.Path), given: true})
	}
	out = append(out, candidate{name: m.Path, same: live && !deleted})
	if !live {
		return out
	}
	if m.Main {
		out = append(out, candidate{name: fmt.Sprintf("/proc/%d/exe", s.crash.Target.PID), same: true})
	} else if len(m.Ranges) > 0 {
		r := m.Ranges[0]
		out = append(out, candidate{name: fmt.Sprintf("/proc/%d/map_files/%x-%x", s.crash.Target.PID, r.Start, r.End), same: true})
	}
	return out
}

func (s *Symbolizer) deleted(m *Module) bool {
	for _, r := range m.Ranges {
		if mp, ok := s.crash.MappingAt(r.Start); ok && mp.Deleted {
			return true
		}
	}
	return false
}

// accept checks f against what the process has mapped and makes it m's file.
func (s *Symbolizer) accept(m *Module, f *elfFile, same bool) error {
	if m.img == nil {
		return s.acceptUnseen(m, f)
	}
	switch {
	case m.BuildID != "" && f.id == "":
		return fmt.Errorf("it has no build ID, the process mapped %s", m.BuildID)
	case m.BuildID != f.id:
		return fmt.Errorf("its build ID is %s, the process mapped %s", f.id, orNone(m.BuildID))
	case m.BuildID == "" && !bytes.Equal(m.img.hdr.raw, f.hdr.raw):
		return errors.New("its program headers differ from the ones that the process mapped")
	}
	m.Verified = same || m.BuildID != ""
	m.use(f)
	return nil
}

// acceptUnseen takes the header from the file because memory does not hold it; at least the segments must fit.
func (s *Symbolizer) acceptUnseen(m *Module, f *elfFile) error {
	trial := &Module{Path: m.Path}
	first, ok := s.crash.MappingAt(m.Ranges[0].Start)
	if !ok {
		return errors.New("it is not mapped")
	}
	for _, seg := range f.hdr.segments {
		if seg.typ == elf.PT_LOAD && seg.off&^(pageSize-1) == first.Offset {
			trial.Bias = first.Start - seg.vaddr&^(pageSize-1)
			break
		}
	}
	trial.setImage(s.crash.Memory, f.hdr)
	for _, r := range m.Ranges {
		if mp, ok := s.crash.MappingAt(r.Start); ok && !trial.explains(mp) {
			return errors.New("its segments do not fit what the process mapped")
		}
	}
	m.Bias, m.BiasAssumed = trial.Bias, false
	m.setImage(s.crash.Memory, f.hdr)
	m.BuildID = f.id
	m.use(f)
	s.extend(m)
	return nil
}

func orNone(id string) string {
	if id == "" {
		return "one without"
	}
	return id
}
