package diagnose

import (
	"context"
	"path/filepath"
	"strings"

	"meshdiag/heuristics"
	"meshdiag/probe"
	"meshdiag/profile"
	"meshdiag/report"
)

// askArtefact compares the executable with what it was made of. Without a profile nobody knows what that was, and only
// a file that changed under the program is worth a word.
func (w *walk) askArtefact(context.Context) []probe.Check {
	var out []probe.Check
	if c, ok := probe.Replaced(w.end.Mappings, w.ranBuild); ok && (!c.OK || w.prof != nil) {
		out = append(out, c)
	}
	if w.prof == nil || w.end.Target.ExePath == "" {
		return out
	}
	out = append(out, probe.Fresh(probe.Artefact{Exe: w.end.Target.ExePath, Parts: w.prof.Artefacts, Prefix: w.prof.Prefix,
		Function: func(name string) bool {
			return w.prof.Classify(name, "", w.end.Target.ExePath, true).Kind == profile.KindRuntime
		}})...)
	if c, ok := w.otherRuntime(); ok {
		out = append(out, c)
	}
	if c, ok := w.otherArchive(); ok {
		out = append(out, c)
	}
	return out
}

// ranBuild is the build ID of a mapped file as it ran.
func (w *walk) ranBuild(path string) string {
	for _, m := range w.sym.Modules() {
		if m.Path == path {
			return m.BuildID
		}
	}
	return ""
}

// otherRuntime says that the profile that was asked for is not the one that the executable's symbols tell.
func (w *walk) otherRuntime() (probe.Check, bool) {
	main, ok := w.sym.Main()
	if w.options.Profile == "" || !ok {
		return probe.Check{}, false
	}
	mentions := func(part string) bool { return w.sym.MentionsSymbol(main, part) }
	is := profile.Recognise(mentions, mentions)
	if is == nil || is.ID == w.prof.ID || is.Prefix == w.prof.Prefix {
		return probe.Check{}, false
	}
	return probe.Check{ID: "artefact-runtime", Cause: "stale-artifact",
		Detail: "the executable carries the runtime of " + is.Title + " (functions " + is.Prefix + "...), not that of " + w.prof.Title + " which was expected",
		Next:   []string{"build it again with the other compiler, or leave --profile out"}}, true
}

// otherArchive says that beside the executable lies the runtime archive of another built-in profile, and none of its own:
// what is built there next will not be what runs.
func (w *walk) otherArchive() (probe.Check, bool) {
	dir := filepath.Dir(w.end.Target.ExePath)
	if len(probe.Present(dir, w.prof.Artefacts.Archives)) > 0 {
		return probe.Check{}, false
	}
	for _, name := range profile.Names() {
		p, err := profile.Load(name)
		if err != nil || p.Prefix == w.prof.Prefix {
			continue
		}
		if there := probe.Present(dir, p.Artefacts.Archives); len(there) > 0 {
			return probe.Check{ID: "artefact-prefix", Cause: "stale-artifact", Hint: true,
				Detail: "the executable has the runtime of " + w.prof.Title + " (functions " + w.prof.Prefix + "...), and the archive that lies beside it, " + there[0] +
					", is that of " + p.Title + " (" + p.Prefix + "...)",
				Next: []string{"build the program again: it is from before or after the renaming"}}, true
		}
	}
	return probe.Check{}, false
}

// staleWarnings say first of all that what ran may not be what was built last: every cause below is then one of an old
// program.
func staleWarnings(checks []heuristics.Check) []string {
	var out []string
	for _, c := range checks {
		if !c.OK && c.Cause == "stale-artifact" {
			out = append(out, said(report.ArtefactFirst+strings.TrimSuffix(c.Detail, ".")+"."))
		}
	}
	return out
}
