package diagnose

import "testing"

func TestRustTemplate(t *testing.T) {
	for _, c := range []struct{ name, bytes, want string }{
		// As rustc 1.95 writes panic!("worker {} died of {:?}, {:>5}!").
		{"placeholders", "\x07worker \xc0\x09 died of \xc0\x02, \xc3\x20\x00\x00\x28\x05\x00\x01!\x00rest", "worker {} died of {}, {}!"},
		{"long piece", "\x80\x03\x00abc\x00", "abc"},
		{"no end", "\x03abc", ""},
		{"piece longer than the text", "\x7fabc\x00", ""},
		{"placeholder cut short", "\xc1\x00", ""},
		{"another version's", "\x90abc\x00", ""},
		{"not UTF-8", "\x02\xff\xfe\x00", ""},
		{"empty", "\x00", ""},
	} {
		got, ok := rustTemplate([]byte(c.bytes))
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %q, %t", c.name, got, ok)
		}
	}
}

func FuzzRustTemplate(f *testing.F) {
	f.Add([]byte("\x07worker \xc0\x01!\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := rustTemplate(b); ok && s == "" {
			t.Error("an empty text")
		}
	})
}
