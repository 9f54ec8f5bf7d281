package startup

import (
	"fmt"
	"slices"
	"strings"

	"meshdiag/crash"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// rank orders roles that frames of one stack give: a service runs on a worker, and what it does for it is the service's
// doing. Greater wins.
var rank = map[profile.Role]int{
	profile.RoleService: 6, profile.RoleActor: 5, profile.RoleHTTP: 4, profile.RoleWS: 4, profile.RoleWorker: 3,
	profile.RoleMain: 2, profile.RoleOther: 1,
}

// Roles says for each thread of c what it was doing: from the functions on its stack, the stack it runs on, its name, and
// for the leader from being the leader. stacks are parallel to c.Threads. code may be nil; an actor whose frames are lost
// is then not told by what its stack still holds.
func Roles(c *crash.Crash, code Code, stacks []symbols.Stack, p *profile.Profile) []ThreadRole {
	roles := make([]ThreadRole, len(c.Threads))
	for i := range c.Threads {
		var frames []symbols.Frame
		if i < len(stacks) {
			frames = stacks[i].Frames
		}
		roles[i] = roleOf(c, code, &c.Threads[i], frames, p)
	}
	markPrinter(c, stacks, roles, p)
	return roles
}

func roleOf(c *crash.Crash, code Code, t *crash.Thread, frames []symbols.Frame, p *profile.Profile) ThreadRole {
	best := roleByFrames(frames, p, false)
	if best.Role == "" {
		best = roleByFrames(frames, p, true)
	}
	if rank[best.Role] <= rank[profile.RoleWorker] {
		if r, ok := roleByStack(c, code, t, p); ok {
			best = r
		}
	}
	if best.Role != "" {
		return best
	}
	if c.IsLeader(t) {
		return ThreadRole{Role: profile.RoleMain, Why: "it is the process's first thread", FrameIndex: -1}
	}
	if named, ok := p.ClassifyThread(t.Name); ok {
		return ThreadRole{Role: named.Role, Actor: named.Actor, Why: fmt.Sprintf("its name %q says so: %s", profile.PlainLine(t.Name), named.Part), FrameIndex: -1}
	}
	return ThreadRole{Role: profile.RoleOther, Why: "nothing on its stack tells what it does", FrameIndex: -1}
}

// roleByFrames finds the frame that tells most. Frames that were only found by scanning may be stale: they are asked
// only when no better frame tells.
func roleByFrames(frames []symbols.Frame, p *profile.Profile, scanned bool) ThreadRole {
	best := ThreadRole{FrameIndex: -1}
	coroutine, entry := -1, -1
	for i := range frames {
		f := &frames[i]
		if f.Symbol.Name == "" || (f.Trust == symbols.TrustScan) != scanned {
			continue
		}
		cl := classify(p, f)
		if cl.Part == profile.PartCoroutineEntry && coroutine < 0 {
			coroutine = i
		}
		if cl.Kind == profile.KindProgram && coroutine < 0 {
			entry = i // the outermost program frame on the coroutine's own stack
		}
		role := cl.Role
		if role == "" && cl.Part == profile.PartEntry {
			role = profile.RoleMain
		}
		if rank[role] > rank[best.Role] {
			best = ThreadRole{Role: role, Actor: cl.Actor, FrameIndex: i, Why: fmt.Sprintf("%s is on its stack%s", cl.Readable, how(cl.Part))}
		}
	}
	if coroutine >= 0 && rank[best.Role] <= rank[profile.RoleWorker] {
		best = ThreadRole{Role: profile.RoleActor, FrameIndex: coroutine, Why: "it runs on a coroutine's stack"}
		if entry >= 0 {
			cl := classify(p, &frames[entry])
			best.Actor, best.FrameIndex = actorName(&cl), entry
			best.Why = fmt.Sprintf("it runs on a coroutine's stack that begins with %s", cl.Readable)
		}
	}
	if scanned && best.Role != "" {
		best.Why += " (found by scanning, so it may be stale)"
	}
	return best
}

func how(part string) string {
	if part == "" {
		return ""
	}
	return " (" + part + ")"
}

func actorName(cl *profile.Classified) string {
	if cl.Actor != "" {
		return cl.Actor
	}
	return cl.Readable
}

func classify(p *profile.Profile, f *symbols.Frame) profile.Classified {
	path, main := "", false
	if f.Module != nil {
		path, main = f.Module.Path, f.Module.Main
	}
	readable := f.Demangled
	if readable == "" { // only the stack that a report shows is described
		readable, _ = symbols.Demangle(f.Symbol.Name)
	}
	return p.Classify(f.Symbol.Name, readable, path, main)
}

// markPrinter marks the thread that prints the start-up messages: the one with the entry function on its stack, else the
// leader. Without a profile that knows of start-up there is none.
func markPrinter(c *crash.Crash, stacks []symbols.Stack, roles []ThreadRole, p *profile.Profile) {
	if p == nil || len(p.Startup) == 0 && len(p.Entry.Functions) == 0 {
		return
	}
	leader := -1
	for i := range c.Threads {
		if c.IsLeader(&c.Threads[i]) {
			leader = i
		}
		if i < len(stacks) && slices.ContainsFunc(stacks[i].Frames, func(f symbols.Frame) bool {
			name, _, _ := strings.Cut(f.Symbol.Name, "@")
			return f.Trust != symbols.TrustScan && slices.Contains(p.Entry.Functions, name)
		}) {
			roles[i].Prints = true
			return
		}
	}
	if leader >= 0 && (roles[leader].Role == profile.RoleMain || roles[leader].FrameIndex < 0) {
		roles[leader].Prints = true
	}
}
