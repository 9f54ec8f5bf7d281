package provenance

import (
	"strings"

	"meshdiag/provenance/insn"
)

// noReturnNames are functions of the C, C++ and Rust run-time systems that never return. They are mostly reached
// through stubs, where their code cannot be looked at.
var noReturnNames = map[string]bool{
	"abort": true, "exit": true, "_exit": true, "_Exit": true, "quick_exit": true, "__assert_fail": true,
	"__assert_perror_fail": true, "__assert": true, "__stack_chk_fail": true, "__chk_fail": true,
	"__fortify_fail": true, "longjmp": true, "siglongjmp": true, "_longjmp": true, "__longjmp_chk": true,
	"pthread_exit": true, "__cxa_throw": true, "__cxa_rethrow": true, "_Unwind_Resume": true,
	"__cxa_call_unexpected": true, "__cxa_bad_cast": true, "__cxa_bad_typeid": true,
	"__cxa_throw_bad_array_new_length": true, "__clang_call_terminate": true, "_ZSt9terminatev": true,
	"__libc_fatal": true, "rust_begin_unwind": true, "rust_panic": true, "__libc_start_main": true,
}

// noReturnParts are parts of mangled names: libstdc++'s throw helpers and Rust's panics.
var noReturnParts = []string{"__throw_", "9panicking", "18handle_alloc_error", "17rust_oom", "core9panicking",
	"13unwrap_failed", "13expect_failed"}

func noReturnName(name string) bool {
	name, _, _ = strings.Cut(name, "@")
	if noReturnNames[name] {
		return true
	}
	if !strings.HasPrefix(name, "_Z") && !strings.HasPrefix(name, "_R") {
		return false
	}
	for _, p := range noReturnParts {
		if strings.Contains(name, p) {
			// The unwinding machinery lives in std::panicking too, and does return.
			return !strings.Contains(name, "panicking3try") && !strings.Contains(name, "panic_count") && !strings.Contains(name, "panicking7default")
		}
	}
	return false
}

const (
	noReturnBudget = 400   // functions looked at per analyzer
	noReturnScan   = 16384 // bytes of a function looked at
)

// neverReturns reports whether the function at target has no way back: its name is known, or its code holds neither a
// return nor a jump that leaves it. Most functions show a return early, so this is cheap.
func (a *Analyzer) neverReturns(target uint64) bool {
	if r, ok := a.noReturn[target]; ok {
		return r
	}
	a.noReturn[target] = noReturnName(a.calleeName(target)) || a.scanNoReturn(target)
	return a.noReturn[target]
}

func (a *Analyzer) scanNoReturn(target uint64) bool {
	if len(a.noReturn) > noReturnBudget {
		return false
	}
	lo, hi, _, ok := a.code.FuncRange(target)
	if !ok || target != lo || hi-lo > noReturnScan {
		return false
	}
	code, _, err := a.code.Code(lo, int(hi-lo))
	if err != nil || uint64(len(code)) < hi-lo {
		return false
	}
	calls := 0
	for at := uint64(0); at < hi-lo; {
		in, err := insn.Decode(code[at:], lo+at)
		if err != nil {
			return false
		}
		switch {
		case in.Flow == insn.FlowRet, in.Flow == insn.FlowJump && !in.HasTarget,
			in.Flow == insn.FlowJump && (in.Target < lo || in.Target >= hi),
			in.Flow == insn.FlowCond && (in.Target < lo || in.Target >= hi):
			return false
		case in.Flow == insn.FlowCall, in.Flow == insn.FlowTrap:
			calls++
		}
		at += uint64(in.Len)
	}
	return calls > 0
}
