package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"meshdiag/lab/mesher"
)

// Progress is where builds say what they do; a nil writer keeps them silent.
var Progress io.Writer = os.Stderr

func progress(format string, args ...any) {
	if Progress != nil {
		fmt.Fprintf(Progress, "lab: "+format+"\n", args...)
	}
}

// Build returns the path of a stand-in Mesher: the sound one for an empty fault id, or a broken one. Artefacts are kept by
// content (IR, runtime sources, flags, versions of the tools); an unchanged one costs a few milliseconds. Safe for concurrent
// processes.
func Build(ctx context.Context, v Variant, faultID string) (string, error) {
	fault := Fault{ID: "healthy"}
	if faultID != "" {
		var err error
		if fault, err = Find(faultID); err != nil {
			return "", err
		}
	}
	return buildFault(ctx, v, fault)
}

func buildFault(ctx context.Context, v Variant, fault Fault) (string, error) {
	v, err := fault.variant(v)
	if err != nil {
		return "", err
	}
	ir, err := mesher.Generate(mesher.Sequence(v.Sequence), v.Prefix, fault.Edits, fault.Additions)
	if err != nil {
		return "", fmt.Errorf("fault %s: %w", fault.ID, err)
	}
	rt, err := runtimeLibrary(ctx, v, fault)
	if err != nil {
		return "", err
	}
	return link(ctx, v, fault, ir, rt)
}

// link assembles the IR and links it as meshc does; the program is called mesher.
func link(ctx context.Context, v Variant, fault Fault, ir, rt string) (string, error) {
	cc, err := linker()
	if err != nil {
		return "", err
	}
	llvm, err := clang()
	if err != nil {
		return "", err
	}
	key := []string{ir, rt, v.Opt, strings.Join(fault.LinkFlags, " ")}
	for _, tool := range []string{cc, llvm} {
		version, err := toolVersion(ctx, tool)
		if err != nil {
			return "", err
		}
		key = append(key, version)
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	name := filepath.Join("bin", fault.ID+"-"+v.String()+"-"+contentKey(key...))
	dir, err := locked(ctx, cache, name, func(dir string) error {
		progress("build %s (%s)", fault.ID, v)
		return assemble(ctx, dir, llvm, cc, v, fault, ir, rt)
	})
	if err != nil {
		return "", fmt.Errorf("build %s (%s): %w", fault.ID, v, err)
	}
	return filepath.Join(dir, "mesher"), nil
}

func assemble(ctx context.Context, dir, llvm, cc string, v Variant, fault Fault, ir, rt string) error {
	if err := os.WriteFile(filepath.Join(dir, "out.ll"), []byte(ir), 0o644); err != nil {
		return err
	}
	if err := run(ctx, dir, nil, llvm, "-"+v.Opt, "-fPIC", "-Wno-override-module", "-c", "out.ll", "-o", "out.o"); err != nil {
		return err
	}
	argv := []string{cc, "-pie", "out.o", "-L" + rt, "-l" + v.Prefix + "_rt"}
	if fault.Shared {
		// The library is found beside the program, wherever the cache stands.
		if err := os.Link(filepath.Join(rt, "lib"+v.Prefix+"_rt.so"), filepath.Join(dir, "lib"+v.Prefix+"_rt.so")); err != nil {
			return err
		}
		argv = append(argv, "-Wl,-rpath,$ORIGIN")
	}
	argv = append(argv, fault.LinkFlags...)
	argv = append(argv, "-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc", "-o", "mesher")
	return run(ctx, dir, nil, argv...)
}

// runtimeLibrary returns the folder of the runtime's archive (or shared object) for a variant and a fault's features.
func runtimeLibrary(ctx context.Context, v Variant, fault Fault) (string, error) {
	tool, err := cargo()
	if err != nil {
		return "", err
	}
	src, err := sourceDir()
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	tree, err := treeKey(filepath.Join(src, "runtime"))
	if err != nil {
		return "", err
	}
	version, err := toolVersion(ctx, tool)
	if err != nil {
		return "", err
	}
	features := strings.Join(fault.Features, ",")
	kind := map[bool]string{false: "static", true: "shared"}[fault.Shared]
	key := contentKey(tree, version, features, kind)
	name := filepath.Join("runtime", strings.Join([]string{v.Prefix, v.Runtime, kind, key}, "-"))
	return locked(ctx, cache, name, func(dir string) error {
		progress("build the runtime (%s, %s, %s, features: %q); the first time takes a few minutes", v.Prefix, v.Runtime, kind, features)
		return cargoBuild(ctx, dir, tool, filepath.Join(src, "runtime"), filepath.Join(cache, "target"), v, fault)
	})
}

// cargoBuild builds one archive and copies it away, as the next variant overwrites it in the shared target folder.
func cargoBuild(ctx context.Context, dir, tool, src, target string, v Variant, fault Fault) error {
	unlock, err := lock(ctx, target+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	pkg, file := v.Prefix+"_rt", "lib"+v.Prefix+"_rt.a"
	argv := []string{tool, "build", "--locked", "-p", pkg}
	if fault.Shared {
		argv, file = []string{tool, "rustc", "--locked", "-p", pkg, "--lib", "--crate-type", "cdylib"}, "lib"+v.Prefix+"_rt.so"
	}
	if v.Runtime == "release" {
		argv = append(argv, "--release")
	}
	if len(fault.Features) > 0 {
		argv = append(argv, "--features", strings.Join(fault.Features, ","))
	}
	if err := run(ctx, src, []string{"CARGO_TARGET_DIR=" + target, "CARGO_TERM_COLOR=never"}, argv...); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(target, v.Runtime, file))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), data, 0o755)
}
