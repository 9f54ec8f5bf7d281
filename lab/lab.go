// Package lab builds and breaks a stand-in Mesher, with ground truth: a Rust runtime (lab/runtime), a compiler's output
// generated as LLVM IR (lab/mesher), a catalogue of faults (faults.toml) that each change the IR, the runtime, the link or the
// world by a real mechanism, and a private PostgreSQL server. Tests, the demo and the accuracy bench run on it; the product
// never imports it.
//
//	faults, err := lab.Catalogue()
//	pg, err := lab.StartPostgres(ctx)
//	defer pg.Stop()
//	scenario, err := lab.NewScenario(ctx, faults[0], lab.Variant{Opt: "O2"}, pg)
//	defer scenario.Cleanup()
//	result, err := lab.Run(ctx, scenario, []string{"meshdiag", "run", "-o", "report.json", "--format", "json"})
//
// It knows what it broke; it never looks at what a diagnosis says.
package lab
