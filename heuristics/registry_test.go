package heuristics

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contract lists the causes and kinds of the report contract.
var contract = map[string][]string{
	idABI:    {kindArity, kindType, kindIntPointer, kindPtrAsAgg, kindAggAsPtr, kindTruncated, kindOffset, kindDropped, kindCallback},
	idHandle: nil, idMissing: {kindLink, kindLoad, kindNullCall}, idDispatch: {kindNullFunc, kindDataFunc, kindWrongFunc},
	idNull: {kindMissingKey, kindNoReply, kindExternNull, kindOther}, idWild: nil, idReadOnly: nil, idFreed: nil, idHeap: nil,
	idStackSmash: nil, idPastFile: {kindNoSpace}, idOverflow: {kindRecursion, kindDeepChain, kindFrameGrowth, kindSmallStack},
	idArithmetic: nil, idMisaligned: nil, idIllegal: nil,
	idPanic: {kindMeshPanic, kindRuntime, kindCaught, kindAllocation, kindAssertion, kindException, kindAbort},
	idExit:  {kindChildDied, kindNoFiles, kindNoSpace, kindNoProcesses, kindStartUp, kindCommand}, idDatabase: {kindUnreachable, kindAuth, kindNoDatabase, kindNoSchema, kindNoExtension, kindOther},
	idPort: {kindHTTP, kindWebSocket, kindOther}, idHang: {kindDeadlock, kindAbandoned, kindBlockedIO, kindSpin, kindSlow, kindNoProgress},
	idOutOfMemory: nil, idKilled: {kindCPULimit, kindFileSize, kindSeccomp, kindTimer, kindItself}, idBrokenPipe: nil, idStale: nil,
	idLaunch: {"not-found", "permission", "noexec", "format", "interpreter", "busy", "other"}, idUnknown: nil,
}

func TestEveryCauseIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range Registry() {
		d := h.Doc
		kinds, ok := contract[d.ID]
		if !ok || seen[d.ID] {
			t.Errorf("%q is registered and not in the contract, or twice", d.ID)
		}
		seen[d.ID] = true
		if got := slices.Sorted(maps.Keys(d.Kinds)); !slices.Equal(got, slices.Sorted(slices.Values(kinds))) {
			t.Errorf("%s documents the kinds %v, the contract has %v", d.ID, got, kinds)
		}
		if h.Run == nil || d.Title == "" || len(d.Text) < 200 || !strings.Contains(d.Text, "Example") {
			t.Errorf("%s: title or text is missing, or has no example", d.ID)
		}
		if len(d.For) == 0 || len(d.Against) == 0 || len(d.FalsePositives) == 0 || len(d.Fix) == 0 {
			t.Errorf("%s: one of For, Against, FalsePositives, Fix is empty", d.ID)
		}
		if got, ok := Explain(d.ID); !ok || got.ID != d.ID {
			t.Errorf("%s cannot be explained", d.ID)
		}
	}
	if len(seen) != len(contract) {
		t.Errorf("%d causes are registered, the contract has %d", len(seen), len(contract))
	}
	if _, ok := Explain("no-such-cause"); ok {
		t.Error("an unknown id was explained")
	}
}

func TestEveryCauseHasAPrior(t *testing.T) {
	for id := range contract {
		if _, ok := priors[id]; !ok && id != idUnknown {
			t.Errorf("%s has no prior", id)
		}
	}
	for key := range priors {
		id, kind, _ := strings.Cut(key, "/")
		if kinds, ok := contract[id]; !ok || kind != "" && !slices.Contains(kinds, kind) {
			t.Errorf("prior of %q, which the contract does not have", key)
		}
	}
}

// Causes follow from what was observed: no name of a runtime may stand in this package's code.
func TestNoRuntimeIsNamedInCode(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(?i)"[^"\n]*(mesh_|snow_|mesher|__service_|__actor_|meshc)[^"\n]*"`)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if m := name.FindString(string(text)); m != "" {
			t.Errorf("%s: %s", f.Name(), m)
		}
	}
}

func contains(s, part string) bool { return strings.Contains(s, part) }

func anyContains(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}
