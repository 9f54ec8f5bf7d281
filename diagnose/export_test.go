package diagnose

// CompareReports is for tests that cannot be in this package, because the lab may not be imported by it.
var (
	BothCores        = bothCores
	BuildMeshdiag    = buildMeshdiag
	CompareReports   = compareReports
	CompareWithTools = compareWithTools
	NeedPlainCores   = needPlainCores
)
