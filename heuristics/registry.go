package heuristics

// Registry lists all heuristics in the contract's order. Adding one is one file and one line here.
func Registry() []Heuristic {
	return []Heuristic{
		abiMismatch,
		gcTracedHandle,
		missingExtern,
		badDispatch,
		nullValue,
		wildPointer,
		readOnlyWrite,
		useAfterFree,
		heapCorruption,
		stackCorruption,
		truncatedMapping,
		stackOverflow,
		arithmetic,
		misalignedAccess,
		illegalInstruction,
		panicked,
		exitFailure,
		database,
		portInUse,
		hang,
		outOfMemory,
		killed,
		brokenPipe,
		staleArtifact,
		launchFailed,
		unknown,
	}
}

// Explain is the documentation of a cause id.
func Explain(id string) (Doc, bool) {
	for _, h := range Registry() {
		if h.Doc.ID == id {
			return h.Doc, true
		}
	}
	return Doc{}, false
}
