package probe

import (
	"net"
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
		Fresh(Artefact{Exe: os.Args[0], Parts: p.Artefacts})
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

// BenchmarkHolders finds the holder of a port on a machine with 4,000 other connections.
func BenchmarkHolders(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	for range 2000 {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
	}
	b.Run("netlink", func(b *testing.B) {
		for b.Loop() {
			listeners()
		}
	})
	b.Run("proc", func(b *testing.B) {
		for b.Loop() {
			listenersInProc()
		}
	})
	b.Run("process", func(b *testing.B) {
		for b.Loop() {
			if len(Holders(l.Addr().(*net.TCPAddr).Port)) != 1 {
				b.Fatal("the listener was not found")
			}
		}
	})
}
