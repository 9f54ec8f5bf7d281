package diagnose

import "fmt"

// fenced runs one step of a diagnosis. A mistake of meshdiag in it costs what the step would have found, and not the
// report: the process that it is about may be gone for good.
func (w *walk) fenced(step string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			mistake(w, step, p)
		}
	}()
	do()
}

// mistake tells of a bug of meshdiag in the report. In tests it ends the test.
var mistake = func(w *walk, step string, p any) {
	w.end.Warnings = append(w.end.Warnings,
		fmt.Sprintf("meshdiag has a bug: %s failed (%v). What it would have found is missing here; please report this.", step, p))
}
