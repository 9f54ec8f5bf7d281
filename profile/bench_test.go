package profile

import (
	"testing"
)

func BenchmarkLoadMesh(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadText("mesh.toml", embedded("mesh"), data.ReadFile, "data"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadEngine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := loadText("engine.toml", embedded("engine"), data.ReadFile, "data"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExternTable(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p, err := loadText("mesh.toml", embedded("mesh"), data.ReadFile, "data")
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if p.Extern("mesh_map_get") == nil {
			b.Fatal("no mesh_map_get")
		}
		b.StopTimer()
	}
}

func BenchmarkMatchUnknownLine(b *testing.B) {
	p, _ := Load("mesh")
	for b.Loop() {
		p.Match("2026-01-01 12:00:00 INFO something quite ordinary happened, request=17 status=200", "stdout")
	}
}
