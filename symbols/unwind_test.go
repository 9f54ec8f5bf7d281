package symbols

import "testing"

func TestDumpAll(t *testing.T) {
	exe := buildC(t, "victim.c", "-O0", "-pthread")
	for _, how := range []string{"null", "qsort", "callnull", "jumpnull", "handler", "altstack", "smash", "thread", "alloca", "abort", "recurse"} {
		t.Run(how, func(t *testing.T) {
			c := runToFault(t, 0, exe, how)
			s := New(c, Options{})
			for _, m := range s.Modules() {
				t.Logf("%+v %x %s %q", m.Path, m.Bias, m.BuildID, m.Problem)
			}
			st := s.Unwind(&c.Threads[0], nil, 40)
			if how == "recurse" {
				st.Frames = st.Frames[len(st.Frames)-4:]
			}
			dump(t, st)
		})
	}
}
