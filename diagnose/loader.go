package diagnose

import (
	"context"

	"meshdiag/probe"
	"meshdiag/probe/loader"
)

// atSecure is the entry of the auxiliary vector that is not 0 in a program with more rights than its user: the loader
// then ignores LD_LIBRARY_PATH (getauxval(3)).
const atSecure = 23

// suggestsLoader reports whether the dynamic loader said why it gave up.
func (w *walk) suggestsLoader() bool {
	_, ok := w.c.LoaderFailed()
	return ok
}

// askLoader repeats the loader's search on the files.
func (w *walk) askLoader(ctx context.Context) []probe.Check {
	failure, ok := w.c.LoaderFailed()
	if !ok {
		return nil
	}
	t := &w.end.Target
	return probe.Loader(ctx, probe.LoaderFailure(failure), &loader.World{Program: w.executable(), Dir: t.CWD, Env: t.Env, Secure: w.end.Auxv[atSecure] != 0})
}
