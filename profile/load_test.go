package profile

import "testing"

func TestEmbeddedProfilesLoad(t *testing.T) {
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(p.Names); n < 20 {
			t.Errorf("%s: %d name rules", name, n)
		}
		if _, err := p.Externs(); err != nil {
			t.Error(err)
		}
	}
	engine()
}
