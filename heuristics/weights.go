package heuristics

// All numbers that decide between causes stand in this file. They are log-odds: ln(P(fact | cause) / P(fact | another
// cause)). They were set by hand from the failures that are on record for compiled programs with a native runtime and
// are checked by the accuracy bench over the fault lab, which is simulated and small: read confidences as tiers, not as
// measured probabilities.

// Limits of what facts can say together.
const (
	maxItem   = 3.0 // no single fact is worth more
	maxGroup  = 4.0 // nor a group of related ones; it binds when groups become sums
	noneScore = 0.0 // score of "none of these": what a cause must have more of to be named first

	direct = 2.5 // a fact of this weight is an observation of the cause itself
	strong = 1.5 // a fact of this weight is hard to explain by another cause

	ceilingDirect  = 0.97 // nothing is certain
	ceilingStrong  = 0.79 // without a direct observation a cause is at most likely
	ceilingWeak    = 0.55
	ceilingUnknown = 0.50 // a report that knows nothing must not be sure of it

	maxCauses = 6    // shown
	minShown  = 0.02 // confidence below which a cause is not worth a line

	tierLikely   = 0.85 // what a weight keeps when the hop behind it is only likely
	tierPossible = 0.5
)

// priors are log-odds of causes before anything was seen, by id/kind or id. Base rates: of 65 recorded failures of Mesh
// programs 24 were about ABI and representation, 10 link or stale artefacts, 7 scheduling, 6 database, 4 stack overflow,
// 4 NULL, 1 collector. A cause that cannot be without its own direct sign has a mild prior: the sign decides.
var priors = map[string]float64{
	idABI:                            -1.8, // spread over nine kinds
	idHandle:                         -3.0, // suspected first by users, found once in 65
	idMissing:                        -1.5,
	idDispatch:                       -2.0,
	idDispatch + "/" + kindWrongFunc: -2.2,
	idNull:                           -1.0,
	idWild:                           -1.3,
	idReadOnly:                       -1.5,
	idFreed:                          -2.0,
	idHeap:                           -1.5,
	idStackSmash:                     -1.5,
	idPastFile:                       -2.0,
	idOverflow:                       -1.5,
	idArithmetic:                     -1.0,
	idMisaligned:                     -1.5,
	idIllegal:                        -1.0,
	idPanic:                          -1.0,
	idExit:                           -1.0,
	idDatabase:                       -1.5,
	idPort:                           -1.5,
	idHang:                           -0.5,
	idOutOfMemory:                    -2.0,
	idKilled:                         -1.0,
	idBrokenPipe:                     -1.5,
	idStale:                          -2.5,
}

func prior(id, kind string) float64 {
	if p, ok := priors[id+"/"+kind]; ok {
		return p
	}
	if p, ok := priors[id]; ok {
		return p
	}
	return unlistedPrior
}

// unlistedPrior is for a cause that somebody forgot to list.
const unlistedPrior = -3.0

// null-value
const (
	wValueNull      = 1.5  // the base of the address is 0
	wReturnedNull   = 3.0  // a named call returned it
	wMayReturnNull  = 1.5  // the profile knows that this call may return 0
	wReturnsNumber  = -1.5 // that call returns a number: 0 is one
	wSetsNoResult   = -3.0 // that call sets no result at all
	wNullLoaded     = 1.0  // a field that holds 0
	wNullConst      = 0.5  // the program writes 0 there
	wUnchecked      = 0.4  // nobody tested it
	wArgUnset       = -2.5 // the register was not set for the call
	wNullButDropped = -1.5 // a result that belongs there was thrown away
	wPairNotPointer = -3.0 // the value is a tag or a register that nobody set
)

// abi-mismatch: number of arguments
const (
	wArgMissing       = 3.0 // the callee reads a register that the caller leaves alone
	wArgMaybeMissing  = 2.0 // the same with only the caller's side known
	wTrailing         = 0.8 // the missing one comes after set ones: a shorter declaration
	wTakesMoreThanSet = 2.6 // the callee takes more registers than the call sets
	wShifted          = 2.2 // all arguments fit one register further
	wMoreThanDefined  = 1.5 // registers are also set for other reasons than the call
	wDeclaredDiffers  = 2.0 // compiler and runtime are known to disagree
	wCountsAgree      = -2.5
	wLeftOver         = 1.0
	wThroughPointer   = -1.5 // the target was chosen at run time: rather the wrong function
	wCalledBack       = 1.0
	wTakesMore        = 2.0
	wOtherMeaning     = 1.6
	wHiddenResult     = 1.5
)

// abi-mismatch: types and representation
const (
	wTypeDeclared     = 2.0
	wSwapped          = 3.0
	wSwappedRather    = -1.5 // for int-as-pointer: the number is in the wrong place, not of the wrong type
	wFloatForInteger  = 2.5
	wLoadedNumber     = 1.0
	wReturnedOther    = 1.6
	wNarrowCopy       = 2.2
	wValueNumberTyped = 2.0
	wCollectorFollows = -1.5
	wHalfHasSource    = -1.5
	wNullConstTyped   = -0.5
	wBesidePointer    = -1.2
	wNarrowTag        = 2.0
	wKnownTagged      = 1.2
	wReadsHeader      = 1.5
	wFollowsList      = -1.5
	wListWalk         = 1.0
	wWalkedOff        = 1.8
	wEnvironment      = 2.5
	wOtherShape       = 2.2
	wValueNumber      = 1.2
	wZeroNumber       = 0.5 // 0 is a number too
	wNumberConst      = 2.5
	wReturnedNumber   = 2.6
	wNarrowNumber     = 2.0
	wReturnedWord     = 1.5 // from a call that returns any kind of word
	wPointerExpected  = 1.0
	wDeclaredNumber   = 2.0
	wTagAsPointer     = 3.0
	wHiddenUnpassed   = 2.6
	wValueIsTag       = 0.6
	wOneRegister      = -2.5
	wTagArgument      = 2.2
	wSecondUnread     = 1.2
	wPairInMemory     = 1.5
	wReadsPair        = 3.0
	wReadsPairProfile = 2.5
	wSecondRegister   = 1.0
	wPointsToPair     = 1.0
	wHiddenNotTaken   = 2.6
	wTwoRegisters     = -3.0
	wPairExpected     = 2.8
	wValueTruncated   = 2.5
	wNarrowResult     = 3.0
	wDeclaredNarrow   = 2.2
	wNarrowArgument   = 1.5
	wExtended         = 1.0
	wNeighbourPointer = 2.0
	wNeighbourOfNull  = 0.5 // an empty field beside a full one is ordinary
	wReadsText        = 1.0
	wOwnLoad          = 0.7
	wRuntimeDiffers   = 2.0
	wStoredNumber     = 1.0
	wOtherCount       = -1.5
	wOtherObject      = 1.4
	wRuntimeLoad      = -1.5
	wResultUnread     = 2.6
	wNeverSet         = 1.2
	wPlaceholder      = 1.5
	wHasOrigin        = -2.0
	wHole             = 1.5
	wOnlyArgument     = 1.5
	wNoNullHere       = 1.0
	wSizeIsText       = 2.5
	wSizeIsPointer    = 2.5
	wSizeIsAbsurd     = 1.5
	wFewerWords       = 2.2
	wAddressRefused   = 3.0
	wHalfLoad         = 3.0
	wOtherField       = 3.0
	wOutsideLayout    = 2.0
	wRightField       = -2.0
)

// gc-traced-handle
const (
	wInCollector = 2.0
	wIsHandle    = 3.0
	wIsNumber    = 1.5
	wFromObject  = 0.7
)

// missing-extern and bad-dispatch
const (
	wLoaderWords    = 3.0
	wLoaderExit     = 1.5
	wHadStarted     = -0.5 // lazy binding can fail late, but rarely does
	wTargetNull     = 2.5
	wTargetBase     = 2.5
	wNamedSlot      = 3.0
	wDirectCall     = 2.8
	wTargetData     = 2.5
	wIndirectCall   = 1.5
	wLinkedCall     = -3.0
	wPointerLoaded  = 0.8
	wNotAnEntry     = 2.6
	wOtherJob       = 3.0
	wAtEntry        = 0.5
	wCallbackRather = -1.5
)

// wild-pointer and memory
const (
	wWildValue         = 1.4
	wWildSmall         = 0.8 // a small number usually has a better explanation
	wWildProtected     = 1.0
	wPastEnd           = 2.0
	wNoOrigin          = 0.6
	wUninit            = 0.8
	wTextHasSource     = -0.5
	wWriteProtected    = 2.8
	wWritesConstant    = 1.0
	wPoison            = 2.2
	wFreeListLink      = 3.0
	wAllocatorWords    = 3.0
	wAbortInAllocator  = 2.5
	wFaultInAllocator  = 2.2
	wGivenByCaller     = -1.5
	wCanaryWords       = 3.0
	wBadReturn         = 3.0
	wTextReturn        = 1.0
	wSigbus            = 1.0
	wPastFile          = 3.0
	wGuardPage         = 3.0
	wOverflowWords     = 2.6
	wStackAccess       = 0.8
	wRepeats           = 2.5
	wHugeFrame         = 2.5
	wDeep              = 1.0
	wSmallStack        = 2.0
	wSigfpe            = 2.5
	wDivision          = 1.0
	wDivisorZero       = 1.0
	wAlignmentFault    = 2.5
	wAlignmentCheck    = 1.5
	wMisalignedMapped  = 0.8
	wMisalignedGarbage = -1.5
	wSigill            = 2.5
	wTrap              = 1.0
	wUndefined         = 0.5
)

// panic and exit-failure
const (
	wPanicWords      = 3.0
	wPanicSeen       = 2.8
	wAbortSignal     = 1.0
	wAbortReason     = 2.5
	wOwnSignal       = 0.3
	wPanicExit       = 1.0
	wThreadDied      = 1.0
	wPanicFrames     = 0.8
	wPointerCheck    = -3.0 // the words are about a pointer: another cause's case
	wDiedOtherwise   = -3.0
	wPanicNamesCause = -3.0
	wAbsurdSize      = -3.0
	wLivedOn         = 1.5
	wCaughtWords     = 1.0
	wExitStatus      = 2.0
	wExitZero        = 2.0
	wNamedElsewhere  = -2.0
	wLastWords       = 0.5
)

// the world outside
const (
	wWords         = 3.0
	wFatalWords    = 1.0
	wGaveUp        = 1.0
	wWentOn        = 0.5
	wPanickedOver  = 1.0
	wCrashedAnyway = -3.0
	wCheckFailed   = 2.5
	wKernelKill    = 1.0
	wKillSignal    = 2.5
	wSender        = 1.0
	wWasFailing    = -1.5
	wSigpipe       = 3.0
	wOldStackSize  = 2.5
)

// hang
const (
	wStalled       = 2.5
	wSpinning      = 1.5
	wLocked        = 1.5
	wBlockedIO     = 1.2
	wIdle          = 0.3
	wStartedUp     = -1.5
	wNotStarted    = 0.5
	wHangExplained = -2.5
)

// unknown
const wNothingFits = 0.1
