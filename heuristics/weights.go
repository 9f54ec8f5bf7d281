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
	idLaunch:                         -0.5,
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
	wReturnsNumber  = -1.5 // that call returns a number, and 0 is one
	wSetsNoResult   = -3.0 // that call sets no result at all
	wPairNotPointer = -3.0 // what came back is a tag, or a register that nobody set
	wNullLoaded     = 1.0  // a field that holds 0
	wNullConst      = 0.5  // the program writes 0 there
	wWaysSplit      = 1.0  // it may have come from several places
	wNullConstTyped = -0.5 // the same in a language that has no NULL: rather a placeholder
	wUnchecked      = 0.4  // nobody tested it on its way
	wLowAddress     = 1.5  // a field of NULL has such an address, and no register tells otherwise
	wCallersMissing = -0.4 // it came from a caller that is not known: what the caller checked is not, either
	wArgUnset       = -2.5 // the register was not set for the call
	wNullButDropped = -1.5 // a result that belongs there was thrown away
)

// abi-mismatch: number of arguments, callbacks
const (
	wArgMissing       = 3.0  // the callee reads a register that the caller leaves alone
	wArgMaybeMissing  = 2.0  // the same with only the caller's side known
	wTakesMoreThanSet = 2.6  // the callee takes more registers than the call sets
	wMoreThanDefined  = 1.5  // the call sets more; registers are also set for other reasons than the call
	wTrailing         = 0.8  // the missing one comes after set ones: a shorter declaration
	wShifted          = 2.2  // all arguments fit when they are moved by one register
	wDeclaredDiffers  = 2.0  // compiler and runtime are known to disagree on the number
	wCountsAgree      = -2.5 // the call sets all that the callee takes
	wLeftOver         = 1.0  // the value was left in the register by something else
	wThroughPointer   = -1.5 // the target was chosen at run time: rather the wrong function
	wCalledBack       = 1.0  // the runtime reached the function through a pointer
	wTakesMore        = 2.0  // a function reached through a pointer takes more than it is passed
	wOtherMeaning     = 1.6  // it uses as an address what it is passed as something else
	wOtherObject      = 1.4  // what failed came in an argument of the callback
	wEnvironment      = 2.5  // the environment stands where an element belongs
	wHiddenResult     = 1.5  // the callback expects the address of its result first
)

// abi-mismatch: type of an argument
const (
	wTypeDeclared     = 2.0  // compiler and runtime are known to disagree on its class
	wRuntimeDiffers   = 2.0  // the linked runtime uses it otherwise than the known one
	wSwapped          = 3.0  // number and address stand in each other's place
	wFloatForInteger  = 2.5  // a floating-point argument where an integer register is read
	wOtherShape       = 2.2  // a good pointer to an object in which the wrong things stand
	wWalkedOff        = 1.8  // the callee walked over an end of memory: the length was none
	wAddressRefused   = 3.0  // the number that a panic refused is an address
	wValueNumber      = 1.2  // the value is a small number
	wValueNumberTyped = 2.0  // the same in a language without pointer arithmetic
	wZeroNumber       = 0.5  // 0 is a number too
	wNumberConst      = 2.5  // the caller writes the number there
	wReturnedNumber   = 2.6  // a call that returns numbers gave it
	wNarrowNumber     = 2.0  // a call that sets less than a word gave it
	wReturnedWord     = 1.5  // a call that returns any kind of word gave it
	wLoadedNumber     = 1.0  // a function of the program loaded it and returned it as an address
	wPassedNumber     = 1.8  // the program's call sets that number, and what the callee did with it was lost
	wStoredNumber     = 1.0  // the runtime reads it where it keeps addresses
	wPointerExpected  = 1.0  // the callee takes an address there
	wDeclaredNumber   = 2.0  // the compiler is known to declare a number there
	wOneDeclaration   = -2.5 // the standard library: caller and callee see one declaration
	wErrorAsNumber    = -1.5 // both sides know it for an address, or for the sign of an error
	wSwappedRather    = -1.5 // the number is in the wrong place, not of the wrong type
	wOtherCount       = -1.5 // the two sides disagree on the count: the number is a neighbour
	wBesidePointer    = -1.2 // an address stands beside the word that was read: rather the wrong word
	wCollectorFollows = -1.5 // the collector follows what lies in objects; no call passed it
)

// abi-mismatch: pairs and pointers
const (
	wTagAsPointer     = 3.0  // the callee returns a tag where the caller takes an address
	wNarrowTag        = 2.0  // the callee sets less than a word where the caller takes an address
	wKnownTagged      = 1.2  // what the callee is known to return begins with a tag
	wHiddenUnpassed   = 2.6  // the callee writes through a hidden pointer that is not passed
	wValueIsTag       = 0.6  // the low byte is that of a tag
	wOneRegister      = -2.5 // the callee returns one register
	wTagArgument      = 2.2  // the caller passes a byte and a word: a pair
	wSecondUnread     = 1.2  // the callee does not take the second word
	wPairInMemory     = 1.5  // a byte-sized number with an address behind it
	wReadsPair        = 3.0  // the caller takes two registers, the callee sets one
	wReadsPairProfile = 2.5  // the same with the callee's side from the profile
	wSecondRegister   = 1.0  // the bad value came back in the second register
	wPointsToPair     = 1.0  // the callee is known to return the address of something
	wHiddenNotTaken   = 2.6  // a hidden result pointer is passed that the callee does not take
	wTwoRegisters     = -3.0 // the callee does return two registers
	wPairExpected     = 2.8  // the callee takes a byte and a word, the caller passes one word
	wFewerWords       = 2.2  // the callee takes several words of a value, the caller passes one
	wSizeIsText       = 2.5  // a size that was asked for is text
	wSizeIsPointer    = 2.5  // a size that was asked for is an address
	wSizeIsAbsurd     = 1.5  // a size that was asked for is larger than any memory
)

// abi-mismatch: bits, fields, results
const (
	wValueTruncated   = 2.5  // the value is the low half of a good address
	wNarrowResult     = 3.0  // the callee returns 8 bytes, the caller takes fewer
	wDeclaredNarrow   = 2.2  // the compiler is known to declare the result narrower
	wNarrowArgument   = 1.5  // the caller sets 4 bytes of an argument
	wNarrowCopy       = 2.2  // the program's code keeps it in 32 bits
	wHalfLoad         = 3.0  // the word in memory is a good address, of which half was taken
	wExtended         = 1.0  // it was cut and extended again
	wNeighbourPointer = 2.0  // an address stands one word off
	wNeighbourOfNull  = 0.5  // the same where the word is 0: an empty field beside a full one is ordinary
	wOtherField       = 3.0  // the layout has a number at that offset
	wOutsideLayout    = 2.0  // the layout has nothing at that offset
	wRightField       = -2.0 // the layout has an address at that offset
	wReturnedOther    = 1.6  // the program returns a number that it loaded as an address
	wReadsText        = 1.0  // the word is content, not a pointer to it
	wOwnLoad          = 0.7  // the program's code reads it
	wRuntimeLoad      = -1.5 // the runtime's code reads it, and that knows its layout
	wResultUnread     = 2.6  // a call before gives an address that nobody takes
	wNeverSet         = 1.2  // the value was never set
	wPlaceholder      = 1.5  // a constant 0 where a value belongs
	wHasOrigin        = -2.0 // the value has an origin of its own
	wHole             = 1.5  // an argument between set ones is not set
	wOnlyArgument     = 1.5  // the only argument is not set
	wNoNullHere       = 1.0  // an address is taken there, and the language writes no NULL
)

// gc-traced-handle
const (
	wInCollector = 2.0  // the fault is in the collector
	wIsHandle    = 3.0  // the value belongs to a live handle
	wIsNumber    = 1.5  // the value is a number, which no object's address is
	wFromObject  = 0.7  // the collector read it out of an object
	wReadsHeader = 1.5  // the access went to the header before the value
	wFollowsList = -1.5 // the collector was following its own list: that was overwritten
)

// missing-extern and bad-dispatch
const (
	wLoaderWords    = 3.0  // the loader or linker says so
	wLoaderExit     = 1.5  // its exit status
	wLateWords      = 2.0  // the last words are that something could not be loaded
	wLateAside      = 0.5  // the same, and the program went on
	wHadStarted     = -0.5 // lazy binding can fail late, but rarely does
	wTargetNull     = 2.5  // the program counter is 0
	wTargetBase     = 2.5  // the program counter is the first byte of the image
	wNamedSlot      = 3.0  // the target was read from the slot of a named symbol
	wDirectCall     = 2.8  // the target is written in the call itself
	wTargetData     = 2.5  // the program counter is no code
	wIndirectCall   = 1.5  // the call goes through a pointer
	wLinkedCall     = -3.0 // the call names its target: no table was read
	wPointerLoaded  = 0.8  // the pointer's place is known
	wNotAnEntry     = 2.6  // the call goes into the middle of a function
	wOtherJob       = 3.0  // the function belongs to another service or actor
	wAtEntry        = 0.5  // it failed at once
	wCallbackRather = -1.5 // the runtime calls back by a convention of its own
)

// wild-pointer
const (
	wContradiction = -1.5 // signal, registers and code do not belong together
	wWildValue     = 1.4  // no address that is mapped
	wHanded        = 1.0  // the code of one function shows it giving the value away
	wFieldOfNull   = 1.0  // small, a multiple of the word size; a number may be so, too
	wFailedCall    = 1.6  // a documented sign of failure
	wWildSmall     = 0.8  // a small number usually has a better explanation
	wWildLow       = 0.3  // a low address whose registers are not known: rather a field of NULL
	wWildProtected = 1.0  // mapped, and not for that use
	wPastEnd       = 2.0  // just outside a mapping
	wNoOrigin      = 0.6  // its way back could not be followed
	wUninit        = 0.8  // it was never set
	wTextHasSource = -0.5 // text was read from somewhere
	wHalfHasSource = -1.5 // half an address was cut somewhere
)

// memory
const (
	wWriteProtected   = 2.8  // a write to a mapping that may only be read
	wWritesConstant   = 1.0  // constants or code
	wPoison           = 2.2  // a fill pattern of freed memory
	wFreeListLink     = 3.4  // a free-list link where an object was
	wAllocatorWords   = 3.0  // the allocator says so
	wAbortInAllocator = 2.5  // the process was aborted inside the allocator
	wFaultInAllocator = 2.2  // a fault inside the allocator or collector
	wListWalk         = 1.0  // it was following a list of its own
	wGivenByCaller    = -1.5 // the caller gave the allocator the value
	wCanaryWords      = 3.0  // the stack protector says so
	wBadReturn        = 3.0  // a ret went to no code
	wTextReturn       = 1.0  // the return address is text
	wSigbus           = 1.0  // SIGBUS
	wNoSpace          = 2.6  // its file system is full
	wPastFile         = 3.0  // a page behind the end of the mapped file
)

// stack-overflow
const (
	wGuardPage     = 3.0  // the access hit the guard of the stack
	wOverflowWords = 2.6  // Rust's runtime says so
	wStackAccess   = 0.8  // a push, call or store at rsp
	wRepeats       = 2.5  // a cycle of frames
	wHugeFrame     = 2.5  // one frame takes much of the stack
	wDeep          = 1.0  // many frames without a cycle
	wUnexplained   = -1.0 // the frames that were found take up little of the stack
	wSmallStack    = 2.0  // the stack is small
)

// the processor refuses
const (
	wSigfpe            = 2.5  // SIGFPE
	wDivision          = 1.0  // the instruction divides
	wDivisorZero       = 1.0  // by 0
	wAlignmentFault    = 2.5  // the instruction demands alignment
	wAlignmentCheck    = 1.5  // a debug build's check demands it
	wMisalignedMapped  = 0.8  // the address is good but for its alignment
	wMisalignedGarbage = -1.5 // the address is none at all
	wSigill            = 2.5  // SIGILL or SIGTRAP
	wTrap              = 1.0  // a trap that the compiler put there
	wUndefined         = 0.5  // an instruction that this processor does not know
)

// panic and exit-failure
const (
	wPanicWords      = 3.0  // the program printed why
	wPanicSeen       = 2.8  // the panic was seen where it was raised
	wAbortSignal     = 1.0  // SIGABRT followed
	wAbortReason     = 2.5  // who is on the stack tells why it aborted
	wOwnSignal       = 0.3  // the process sent it to itself
	wPanicExit       = 1.0  // the exit status of a panic followed
	wThreadDied      = 1.0  // a thread is gone and its work stands still
	wPanicFrames     = 0.8  // panic machinery is on the stack
	wPointerCheck    = -3.0 // the words are about a pointer: another cause's case
	wLimitReached    = 0.5  // a limit that the words speak of is reached
	wDiedOtherwise   = -3.0 // the process lived on, or died of something else
	wPanicNamesCause = -3.0 // the words are about something more exact
	wAbsurdSize      = -3.0 // the number in the words was never meant as one
	wLivedOn         = 1.5  // the process went on
	wCaughtWords     = 1.0  // it says that it caught it
	wExitStatus      = 2.0  // a status that is not 0
	wExitZero        = 2.0  // 0 after words of failure
	wNamedElsewhere  = -2.0 // the words point to something more exact
	wLastWords       = 0.5  // there are last words
)

// the world outside
const (
	wWords         = 3.0  // the target says so
	wFatalWords    = 1.0  // and cannot do its job without
	wGaveUp        = 1.0  // it gave up then
	wWentOn        = 0.5  // it went on without
	wWaitsForIt    = 1.5  // it stalled, and the database lets everybody wait
	wPanickedOver  = 1.0  // it panicked over it
	wCrashedAnyway = -3.0 // it died of something that such words do not explain
	wCheckFailed   = 2.5  // a check from outside found it
	wUnfitSQL      = 1.2  // the database lacks what some statement of the program names, which may not have been run
	wCheckHint     = 1.0  // it found something that may be innocent
	wKernelKill    = 1.0  // SIGKILL, as the out-of-memory killer sends
	wKillSignal    = 2.5  // a signal that is not about an instruction
	wSender        = 1.0  // its sender is known
	wOverLimit     = 3.0  // a limit was reached, by the kernel's own account
	wNearLimit     = 2.0  // it was nearly reached, and the accounts differ
	wForbiddenCall = 2.0  // the thread was in a system call
	wKernelRecord  = -3.0 // the kernel's log says that the kernel did it
	wOOMRecord     = 3.0  // the same, for want of memory
	wOOMByName     = 2.0  // its log names a process of that name
	wOOMGroup      = 2.6  // the out-of-memory killer was at work in its control group
	wOOMMachine    = 1.0  // or somewhere on this machine
	wOOMOthers     = -2.0 // its log names others, and not this process
	wOOMNobody     = -3.0 // it ended nothing at all
	wChildStatus   = 2.6  // the exit status is that of a shell whose command died of the signal
	wChildDied     = 1.6  // a child died of a signal, and then it gave up
	wChildGone     = 0.3  // the same by SIGKILL, which parents use
	wChildStarved  = 2.6  // the kernel's log says that it ended the child for want of memory
	wChildKilled   = -1.5 // that child it had ended itself
	wCommandWords  = 2.6  // a shell's words and its status for a command that it cannot run
	wConvention    = 0.3  // 128 plus the number of a signal
	wMidway        = 1.0  // its start-up was not complete
	wWasFailing    = -1.5 // it had said that something failed
	wWasStuck      = -3.0 // its threads waited for each other
	wSigpipe       = 3.0  // SIGPIPE
	wPeer          = 1.0  // what the descriptor leads to is known
	wOldStackSize  = 2.5  // stacks of the size that older runtimes gave
)

// launch-failed
const (
	wLaunchRefused = 3.0 // the system did not execute it
)

// hang
const (
	wStalled       = 2.4  // the watchdog froze it alive: why it stands still is another question
	wCycle         = 3.0  // threads wait for each other in a ring, by what the locks record
	wProbableCycle = 2.0  // the same, with an owner that is only likely or a wait with a time limit
	wOwnerEnded    = 2.8  // a lock's owner is no thread any more
	wRefused       = 2.6  // the kernel refused a lock as a deadlock, and others wait for the thread
	wHoldsWhile    = 2.0  // a thread that others wait for is itself blocked outside of the process
	wHoldsAndRests = 1.2  // a thread that others wait for waits for a signal or sleeps
	wNobodyLeft    = 2.0  // every thread waits for another one of the process
	wCircles       = 2.8  // a thread goes round in a circle, register by register
	wStays         = -1.1 // a thread runs in one call all the time: a loop without end, or a long one
	wMoves         = -1.3 // a thread runs and its calls begin and end, or data is moved
	wSpinning      = -1.1 // a thread runs, and how was not looked at
	wLocked        = 1.2  // threads at work wait for locks, and nobody knows who has them
	wBlockedIO     = 1.2  // threads at work wait for input or output
	wIdle          = -1.6 // all threads rest: nothing is stuck
	wAwaiting      = -1.0 // threads wait for one another, or for work
	wStartedUp     = -1.5 // its start-up was complete: a server at rest looks like this
	wNotStarted    = 0.5  // its start-up was not complete
	wHangExplained = -2.5 // it had said why it cannot do its job
	wSnapshot      = -1.5 // one look at a living process does not tell whether a wait lasts
	wSnapshotStill = -0.8 // no thread had woken for a moment before
)

// unknown
const (
	wNothingFits = 0.1 // only so that it has a line of evidence
)
