package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"meshdiag/report"
)

var (
	formats = []string{"text", "markdown", "json"}
	colors  = []string{"auto", "always", "never"}
)

// output is where a report goes and how it looks there.
type output struct {
	format  string
	path    string
	color   string
	verbose bool
	plain   *os.File // where text goes without -o
}

// register adds the flags that all commands that write a report share.
func (o *output) register(cmd *cobra.Command, plain *os.File) {
	o.plain = plain
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "text", "text, markdown (short, for issues and fix loops) or json")
	f.StringVarP(&o.path, "output", "o", "", "write the report to `FILE`, in one piece; - is stdout")
	f.StringVar(&o.color, "color", "auto", "colour in text: auto (on a terminal, unless NO_COLOR is set), always or never")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "text: all causes, weights, addresses and threads")
	complete := func(flag string, values []string) {
		// The error can only be an unknown flag name.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	complete("format", formats)
	complete("color", colors)
}

func (o *output) check(command string) error {
	if !slices.Contains(formats, o.format) {
		return errChoice(command, "format", o.format, formats)
	}
	if !slices.Contains(colors, o.color) {
		return errChoice(command, "color", o.color, colors)
	}
	return nil
}

// takesStdout reports whether the report occupies stdout, so that nothing else may go there.
func (o *output) takesStdout() bool {
	return o.path == "-" || o.path == "" && (o.format != "text" || o.plain == os.Stdout)
}

// open prepares the destination before anything long begins, so that a report is not lost to a misspelt path.
func (o *output) open() (*sink, error) {
	switch {
	case o.takesStdout():
		return &sink{output: o, w: os.Stdout}, nil
	case o.path == "":
		return &sink{output: o, w: o.plain}, nil
	}
	s, err := newFileSink(o)
	if err != nil {
		return nil, errWrite(o.path, err)
	}
	return s, nil
}

// sink is an opened destination.
type sink struct {
	*output
	w      *os.File
	target string // for a file that is replaced at the end: its path; w is then a temporary file beside it
}

// newFileSink opens the file itself where it is a device or pipe, and else a temporary file in the same folder: the file
// changes in one piece, and only when the report is complete.
func newFileSink(o *output) (*sink, error) {
	target := o.path
	if real, err := filepath.EvalSymlinks(target); err == nil {
		target = real
	}
	switch info, err := os.Stat(target); {
	case err == nil && info.IsDir():
		return nil, errors.New("it is a folder")
	case err == nil && !info.Mode().IsRegular():
		w, err := os.OpenFile(target, os.O_WRONLY, 0)
		return &sink{output: o, w: w}, err
	}
	w, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if err != nil {
		return nil, err
	}
	return &sink{output: o, w: w, target: target}, nil
}

// discard removes what is not finished. After write it does nothing.
func (s *sink) discard() {
	if s.target != "" {
		s.w.Close()
		os.Remove(s.w.Name())
		s.target = ""
	}
}

// write puts the whole report at its destination.
func (s *sink) write(r *report.Report) error {
	var b bytes.Buffer
	if err := s.render(&b, r); err != nil {
		return errDiagnose(err)
	}
	return s.put(b.Bytes())
}

// put writes what is not a report but goes where one would.
func (s *sink) put(data []byte) error {
	if err := s.finish(data); err != nil {
		path := s.path
		if path == "" {
			path = s.w.Name()
		}
		return errWrite(path, err)
	}
	return nil
}

func (s *sink) render(w io.Writer, r *report.Report) error {
	switch s.format {
	case "json":
		return report.WriteJSON(w, r)
	case "markdown":
		return report.WriteMarkdown(w, r)
	}
	return report.WriteText(w, r, report.TextOptions{Width: width(s.w), Color: s.colored(), Verbose: s.verbose})
}

func (s *sink) finish(data []byte) error {
	if _, err := s.w.Write(data); err != nil {
		return err
	}
	if s.target == "" {
		return nil
	}
	if err := s.w.Chmod(fileMode(s.target)); err != nil {
		return err
	}
	if err := s.w.Close(); err != nil {
		return err
	}
	if err := os.Rename(s.w.Name(), s.target); err != nil {
		return err
	}
	s.target = ""
	return nil
}

// fileMode keeps the permissions of a file that is replaced. A new one is for its owner alone: a report quotes the memory and
// the output of a program.
func fileMode(path string) os.FileMode {
	if info, err := os.Stat(path); err == nil {
		return info.Mode().Perm()
	}
	return 0o600
}

func (s *sink) colored() bool {
	if s.color != "auto" {
		return s.color == "always"
	}
	return s.target == "" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(s.w.Fd()))
}

// width is the columns of a terminal; 0 (the writer's choice) for anything else.
func width(f *os.File) int {
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}
