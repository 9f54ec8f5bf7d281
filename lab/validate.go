package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Causes are the cause ids of the report contract with their kinds.
var Causes = map[string][]string{
	"abi-mismatch": {"arity", "argument-type", "int-as-pointer", "pointer-as-aggregate", "aggregate-as-pointer",
		"truncated-value", "wrong-offset", "dropped-return", "callback-convention"},
	"gc-traced-handle":    nil,
	"missing-extern":      {"link", "load", "null-call"},
	"bad-dispatch":        {"null-function", "data-as-function", "wrong-function"},
	"null-value":          {"missing-key", "no-reply", "extern-returned-null", "other"},
	"wild-pointer":        nil,
	"read-only-write":     nil,
	"use-after-free":      nil,
	"heap-corruption":     nil,
	"stack-corruption":    nil,
	"truncated-mapping":   nil,
	"stack-overflow":      {"recursion", "deep-chain", "frame-growth", "small-stack"},
	"arithmetic":          nil,
	"misaligned-access":   nil,
	"illegal-instruction": nil,
	"panic": {"mesh-panic", "runtime-panic", "caught-panic", "allocation-failure", "assertion", "uncaught-exception",
		"abort"},
	"exit-failure":   nil,
	"database":       {"unreachable", "auth", "missing-database", "missing-schema", "missing-extension", "other"},
	"port-in-use":    {"http", "websocket", "other"},
	"hang":           {"deadlock", "abandoned-lock", "blocked-io", "spin", "slow", "no-progress"},
	"out-of-memory":  nil,
	"killed":         nil,
	"broken-pipe":    nil,
	"stale-artifact": nil,
	"unknown":        nil,
}

// Outcomes, Roles and Phases are the words that labels may use.
var (
	Outcomes = []string{"crashed", "panicked", "exited", "hung", "healthy", "killed", "launch-failed"}
	Roles    = []string{"main", "worker", "http-handler", "ws-handler", "service", "actor", "other"}
	Phases   = []string{"launch", "connecting", "partitions", "standalone", "org-service", "project-service", "user-service",
		"stream-manager", "drain-ticker", "rate-limiter", "event-processor", "storage-writer", "registration-skipped",
		"pipeline-registry", "health-checker", "spike-checker", "alert-evaluator", "retention-cleaner", "load-monitor",
		"foundation-ready", "websocket", "websocket-listening", "http", "http-listening"}
)

// validate checks a fault and its label in every variant.
func (f Fault) validate() error {
	if f.ID == "" || f.Title == "" || f.How == "" {
		return errors.New("id, title and how are needed")
	}
	for _, s := range f.Skips {
		if s.Reason == "" {
			return errors.New("a skip needs a reason")
		}
	}
	for _, opt := range []string{"O0", "O2"} {
		for _, runtime := range []string{"release", "debug"} {
			v := Variant{Opt: opt, Runtime: runtime}
			if f.Skipped(v) != "" {
				continue
			}
			if err := f.Expect(v).validate(); err != nil {
				return fmt.Errorf("%s %s: %w", opt, runtime, err)
			}
		}
	}
	return f.World.validate()
}

func (l Label) validate() error {
	for _, o := range append([]string{l.Outcome}, l.OutcomeAlso...) {
		if !slices.Contains(Outcomes, o) {
			return fmt.Errorf("outcome %q is not one of %v", o, Outcomes)
		}
	}
	for _, c := range append([]string{l.Cause}, l.Accept...) {
		if err := validCause(c); err != nil {
			return err
		}
	}
	if len(l.Phase) == 0 {
		return errors.New("a phase is needed")
	}
	for _, p := range l.Phase {
		if !slices.Contains(Phases, p) {
			return fmt.Errorf("phase %q is not known", p)
		}
	}
	if l.Role != "" && !slices.Contains(Roles, l.Role) {
		return fmt.Errorf("role %q is not one of %v", l.Role, Roles)
	}
	if l.Signal != "" && !strings.HasPrefix(l.Signal, "SIG") {
		return fmt.Errorf("signal %q is no name of a signal", l.Signal)
	}
	if l.Truth == "" {
		return errors.New("the truth is needed, in one sentence")
	}
	return nil
}

func validCause(cause string) error {
	id, kind := Kind(cause)
	kinds, ok := Causes[id]
	if !ok {
		return fmt.Errorf("cause %q is not in the report contract", id)
	}
	if kind != "" && !slices.Contains(kinds, kind) {
		return fmt.Errorf("cause %s has no kind %q", id, kind)
	}
	return nil
}

// DiesBySignal says whether the label is a death by signal that the program brought on itself.
func (l Label) DiesBySignal() bool {
	return l.Signal != "" && l.Outcome != "killed" && l.Outcome != "healthy"
}

// OnActor says whether the thread that dies runs an actor, a service or a connection.
func (l Label) OnActor() bool {
	return slices.Contains([]string{"actor", "service", "http-handler", "ws-handler"}, l.Role)
}
