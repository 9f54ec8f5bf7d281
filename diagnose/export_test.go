package diagnose

// CompareReports is for tests that cannot be in this package, because the lab may not be imported by it.
var (
	CompareReports   = compareReports
	CompareWithTools = compareWithTools
	SameInOtherTools = sameInOtherTools
	BuildMeshdiag    = buildMeshdiag
	RunForCores      = runForCores
	NeedPlainCores   = needPlainCores
	RecognisedPanics = recognisedPanics
	CompareWaits     = compareWaits
)
