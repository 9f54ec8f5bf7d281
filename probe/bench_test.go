package probe

import (
	"os"
	"testing"

	"meshdiag/profile"
)

// BenchmarkFresh is the one probe that a plain crash pays for.
func BenchmarkFresh(b *testing.B) {
	p, err := profile.Load("mesh")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Fresh(os.Args[0], p.Artefacts)
	}
}

// BenchmarkDatabaseURL searches the constants and the code of an executable of several MiB.
func BenchmarkDatabaseURL(b *testing.B) {
	for b.Loop() {
		ReadConstants(os.Args[0]).DatabaseURL(nil, nil)
	}
}

// BenchmarkStatements looks for SQL in the same.
func BenchmarkStatements(b *testing.B) {
	for b.Loop() {
		ReadConstants(os.Args[0]).Statements()
	}
}
