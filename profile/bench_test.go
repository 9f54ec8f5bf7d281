package profile

import (
	"testing"
)

func BenchmarkLoadMesh(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadText("mesh.toml", embedded("mesh"), openEmbedded, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadEngine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadText("engine.toml", embedded("engine"), openEmbedded, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExternTable(b *testing.B) {
	text, err := data.ReadFile("data/mesh-externs.tsv")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		table := externTable{prefix: "mesh_", open: func() ([]byte, error) { return text, nil }}
		if err := table.load(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatchUnknownLine(b *testing.B) {
	p, _ := Load("mesh")
	for b.Loop() {
		p.Match("2026-01-01 12:00:00 INFO something quite ordinary happened, request=17 status=200", "stdout")
	}
}
