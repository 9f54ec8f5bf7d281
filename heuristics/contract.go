package heuristics

// The cause ids of the report contract.
const (
	idABI         = "abi-mismatch"
	idHandle      = "gc-traced-handle"
	idMissing     = "missing-extern"
	idDispatch    = "bad-dispatch"
	idNull        = "null-value"
	idWild        = "wild-pointer"
	idReadOnly    = "read-only-write"
	idFreed       = "use-after-free"
	idHeap        = "heap-corruption"
	idStackSmash  = "stack-corruption"
	idPastFile    = "truncated-mapping"
	idOverflow    = "stack-overflow"
	idArithmetic  = "arithmetic"
	idMisaligned  = "misaligned-access"
	idIllegal     = "illegal-instruction"
	idPanic       = "panic"
	idExit        = "exit-failure"
	idDatabase    = "database"
	idPort        = "port-in-use"
	idHang        = "hang"
	idOutOfMemory = "out-of-memory"
	idKilled      = "killed"
	idBrokenPipe  = "broken-pipe"
	idStale       = "stale-artifact"
	idLaunch      = "launch-failed"
	idUnknown     = "unknown"
)

// Kinds of abi-mismatch: how the two sides of a call disagree.
const (
	kindArity       = "arity"
	kindType        = "argument-type"
	kindIntPointer  = "int-as-pointer"
	kindPtrAsAgg    = "pointer-as-aggregate"
	kindAggAsPtr    = "aggregate-as-pointer"
	kindTruncated   = "truncated-value"
	kindOffset      = "wrong-offset"
	kindDropped     = "dropped-return"
	kindCallback    = "callback-convention"
	kindLink        = "link" // of missing-extern
	kindLoad        = "load"
	kindNullCall    = "null-call"
	kindNullFunc    = "null-function" // of bad-dispatch
	kindDataFunc    = "data-as-function"
	kindWrongFunc   = "wrong-function"
	kindMissingKey  = "missing-key" // of null-value
	kindNoReply     = "no-reply"
	kindExternNull  = "extern-returned-null"
	kindOther       = "other"     // also of database and port-in-use
	kindRecursion   = "recursion" // of stack-overflow
	kindDeepChain   = "deep-chain"
	kindFrameGrowth = "frame-growth"
	kindSmallStack  = "small-stack"
	kindMeshPanic   = "mesh-panic" // of panic
	kindRuntime     = "runtime-panic"
	kindCaught      = "caught-panic"
	kindAllocation  = "allocation-failure"
	kindAssertion   = "assertion"
	kindException   = "uncaught-exception"
	kindAbort       = "abort"
	kindUnreachable = "unreachable" // of database
	kindAuth        = "auth"
	kindNoDatabase  = "missing-database"
	kindNoSchema    = "missing-schema"
	kindNoExtension = "missing-extension"
	kindHTTP        = "http" // of port-in-use
	kindWebSocket   = "websocket"
	kindDeadlock    = "deadlock" // of hang
	kindAbandoned   = "abandoned-lock"
	kindBlockedIO   = "blocked-io"
	kindSpin        = "spin"
	kindSlow        = "slow"
	kindNoProgress  = "no-progress"
	kindCPULimit    = "cpu-limit" // of killed
	kindFileSize    = "file-size-limit"
	kindSeccomp     = "seccomp"
	kindTimer       = "timer"
	kindItself      = "itself"
	kindChildDied   = "child-died" // of exit-failure
	kindNoFiles     = "no-files"
	kindNoSpace     = "no-space" // also of truncated-mapping
	kindNoProcesses = "no-processes"
	kindStartUp     = "start-up"
	kindCommand     = "command"
)
