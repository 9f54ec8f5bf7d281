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
	l := linking{fault: fault, variant: v, ir: ir}
	if l.runtime, err = runtimeLibrary(ctx, v, fault.Features, fault.Shared); err != nil {
		return "", err
	}
	l.against = l.runtime
	if fault.Shared {
		// The linker sees the runtime of today; the one that lies beside the program is another.
		if l.against, err = runtimeLibrary(ctx, v, nil, true); err != nil {
			return "", err
		}
	}
	return l.build(ctx)
}

// linking is what one program is made of.
type linking struct {
	fault   Fault
	variant Variant
	ir      string
	runtime string // folder of the library that the program runs with
	against string // folder of the library that the linker sees
	cc      string
	clang   string
}

// build assembles the IR and links it as meshc does. The program is called mesher whatever is wrong with it, and equal programs
// are one: faults of the world share the sound one.
func (l linking) build(ctx context.Context) (string, error) {
	var err error
	if l.cc, err = linker(); err != nil {
		return "", err
	}
	if l.clang, err = clang(); err != nil {
		return "", err
	}
	key := []string{l.ir, filepath.Base(l.runtime), filepath.Base(l.against), l.variant.Opt, strings.Join(l.fault.LinkFlags, " ")}
	for _, tool := range []string{l.cc, l.clang} {
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
	name := filepath.Join("bin", l.variant.String()+"-"+contentKey(key...))
	dir, err := locked(ctx, cache, name, func(dir string) error {
		progress("build %s (%s)", l.fault.ID, l.variant)
		return l.assemble(ctx, dir)
	})
	if err != nil {
		return "", fmt.Errorf("build %s (%s): %w", l.fault.ID, l.variant, err)
	}
	return filepath.Join(dir, "mesher"), nil
}

func (l linking) assemble(ctx context.Context, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "out.ll"), []byte(l.ir), 0o644); err != nil {
		return err
	}
	object := filepath.Join(dir, "out.o")
	if err := run(ctx, dir, nil, l.clang, "-"+l.variant.Opt, "-fPIC", "-Wno-override-module", "-c", "out.ll", "-o", object); err != nil {
		return err
	}
	lib := l.variant.Prefix + "_rt"
	argv := []string{l.cc, "-pie", object, "-L" + l.against, "-l" + lib}
	if l.fault.Shared {
		so := "lib" + lib + ".so"
		if err := os.Link(filepath.Join(l.runtime, so), filepath.Join(dir, so)); err != nil {
			return err
		}
		argv = append(argv, "-Wl,-rpath,$ORIGIN")
	}
	argv = append(argv, l.fault.LinkFlags...)
	argv = append(argv, "-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc", "-o", "mesher")
	if err := run(ctx, dir, nil, argv...); err != nil {
		return err
	}
	return os.Remove(object)
}

// library is one build of the runtime.
type library struct {
	variant  Variant
	features []string
	shared   bool
}

// runtimeLibrary returns the folder of the runtime's archive, or shared object, built with some features.
func runtimeLibrary(ctx context.Context, v Variant, features []string, shared bool) (string, error) {
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
	kind := map[bool]string{false: "static", true: "shared"}[shared]
	key := contentKey(tree, version, strings.Join(features, ","), kind)
	name := filepath.Join("runtime", strings.Join([]string{v.Prefix, v.Runtime, kind, key}, "-"))
	return locked(ctx, cache, name, func(dir string) error {
		progress("build the runtime (%s, %s, %s, features: %v); the first time takes a few minutes", v.Prefix, v.Runtime, kind, features)
		return cargoBuild(ctx, dir, tool, filepath.Join(src, "runtime"), filepath.Join(cache, "target"), library{v, features, shared})
	})
}

// RuntimeArchive returns the path of the static archive that a variant's program is linked with; "" for the fault is the
// sound one.
func RuntimeArchive(ctx context.Context, v Variant, faultID string) (string, error) {
	fault := Fault{ID: "healthy"}
	if faultID != "" {
		var err error
		if fault, err = Find(faultID); err != nil {
			return "", err
		}
	}
	v, err := fault.variant(v)
	if err != nil {
		return "", err
	}
	dir, err := runtimeLibrary(ctx, v, fault.Features, false)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "lib"+v.Prefix+"_rt.a"), nil
}

// cargoBuild builds one archive and copies it away, as the next variant overwrites it in the shared target folder.
func cargoBuild(ctx context.Context, dir, tool, src, target string, l library) error {
	unlock, err := lock(ctx, target+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	pkg := l.variant.Prefix + "_rt"
	file := "lib" + pkg + ".a"
	argv := []string{tool, "build", "--locked", "-p", pkg}
	if l.shared {
		argv, file = []string{tool, "rustc", "--locked", "-p", pkg, "--lib", "--crate-type", "cdylib"}, "lib"+pkg+".so"
	}
	if l.variant.Runtime == "release" {
		argv = append(argv, "--release")
	}
	if len(l.features) > 0 {
		argv = append(argv, "--features", strings.Join(l.features, ","))
	}
	if err := run(ctx, src, []string{"CARGO_TARGET_DIR=" + target, "CARGO_TERM_COLOR=never"}, argv...); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(target, l.variant.Runtime, file))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), data, 0o755)
}
