package mesher

import (
	"fmt"
	"strconv"
	"strings"
)

// Edit is one small change to the program's IR. Names carry the prefix mesh_, whatever the program is built with.
type Edit struct {
	In   string `toml:"in"`   // function to change; empty for the whole module (globals, declarations)
	Find string `toml:"find"` // text that must occur exactly once there
	With string `toml:"with"` // what it becomes
}

// Addition is IR that a fault adds to the module, Repeat times; $i is the number of the copy from 0, $n the next one.
type Addition struct {
	Text   string `toml:"text"`
	Repeat int    `toml:"repeat"` // 0 is 1
}

// Generate returns the IR of a program: the sound one, with edits applied and additions put behind it, under a runtime
// prefix ("mesh" or "snow"). An edit that does not match exactly once is an error: it describes another program.
func Generate(seq Sequence, prefix string, edits []Edit, additions []Addition) (string, error) {
	ir := Program(seq).String()
	for i, e := range edits {
		changed, err := e.apply(ir)
		if err != nil {
			return "", fmt.Errorf("edit %d: %w", i+1, err)
		}
		ir = changed
	}
	for _, a := range additions {
		ir += a.expand()
	}
	return rename(ir, prefix), nil
}

func (e Edit) apply(ir string) (string, error) {
	from, to := 0, len(ir)
	if e.In != "" {
		var err error
		if from, to, err = bounds(ir, e.In); err != nil {
			return "", err
		}
	}
	body := ir[from:to]
	if n := strings.Count(body, e.Find); n != 1 {
		return "", fmt.Errorf("%q occurs %d times in %s, not once", e.Find, n, e.place())
	}
	return ir[:from] + strings.Replace(body, e.Find, e.With, 1) + ir[to:], nil
}

func (e Edit) place() string {
	if e.In == "" {
		return "the module"
	}
	return e.In
}

// bounds finds a function's definition.
func bounds(ir, name string) (from, to int, err error) {
	at := strings.Index(ir, "@"+name+"(")
	for at >= 0 {
		line := strings.LastIndex(ir[:at], "\n") + 1
		if strings.HasPrefix(ir[line:], "define ") {
			end := strings.Index(ir[line:], "\n}\n")
			return line, line + end + 3, nil
		}
		next := strings.Index(ir[at+1:], "@"+name+"(")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return 0, 0, fmt.Errorf("no function %s is defined", name)
}

func (a Addition) expand() string {
	var b strings.Builder
	for i := range max(a.Repeat, 1) {
		text := strings.ReplaceAll(a.Text, "$i", strconv.Itoa(i))
		b.WriteString("\n" + strings.ReplaceAll(text, "$n", strconv.Itoa(i+1)) + "\n")
	}
	return b.String()
}

// rename gives runtime functions and the main function another prefix. Both are equally long, so lengths of names that are
// registered at run time stay true.
func rename(ir, prefix string) string {
	if prefix == "mesh" {
		return ir
	}
	ir = strings.ReplaceAll(ir, "@mesh_", "@"+prefix+"_")
	return strings.ReplaceAll(ir, "c\"mesh_main\"", "c\""+prefix+"_main\"")
}
