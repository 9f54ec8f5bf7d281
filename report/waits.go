package report

import "fmt"

const maxWaitLines = 12 // threads of one ring or chain that are drawn

// waitLines draws who waits for whom: rings with an arrow back from their last thread to the first, and the chains that end
// elsewhere.
func waitLines(r *Report) []string {
	if r.Waits == nil {
		return nil
	}
	var lines []string
	for _, c := range r.Waits.Cycles {
		lines = append(lines, ringLines(r, c)...)
	}
	return append(lines, allChains(r)...)
}

// maxChains bounds how many chains are drawn.
const maxChains = 4

// allChains draws the longest chain to each end, and says how many other threads wait there.
func allChains(r *Report) []string {
	longest := map[int]int{} // end -> index of its longest chain
	behind := map[int]map[int]bool{}
	var ends []int
	for i, c := range r.Waits.Chains {
		if len(c.Threads) == 0 {
			continue
		}
		end := c.Threads[len(c.Threads)-1]
		best, seen := longest[end]
		if !seen {
			ends, behind[end] = append(ends, end), map[int]bool{}
		}
		if !seen || len(c.Threads) > len(r.Waits.Chains[best].Threads) {
			longest[end] = i
		}
		for _, tid := range c.Threads {
			behind[end][tid] = true
		}
	}
	var lines []string
	for i, end := range ends {
		if i == maxChains {
			return append(lines, fmt.Sprintf("… and %s more", count(len(ends)-i, "chain")))
		}
		c := r.Waits.Chains[longest[end]]
		lines = append(lines, chainLines(r, c)...)
		if more := len(behind[end]) - len(c.Threads); more > 0 {
			lines = append(lines, fmt.Sprintf("    and %s more behind thread %d", count(more, "thread"), end))
		}
	}
	return lines
}

func ringLines(r *Report, c Cycle) []string {
	title := "a ring, proven by what the locks record:"
	if !c.Proven {
		title = "a probable ring:"
	}
	lines := []string{title}
	for i, tid := range c.Threads {
		if i == maxWaitLines {
			lines = append(lines, fmt.Sprintf("│   … %s more", count(len(c.Threads)-i, "thread")))
			break
		}
		arrow := "│   "
		if i == 0 {
			arrow = "┌─▶ "
		}
		lines = append(lines, arrow+waitLine(r, tid))
	}
	if len(c.Threads) > 0 {
		lines = append(lines, fmt.Sprintf("└── thread %d", c.Threads[0]))
	}
	return lines
}

func chainLines(r *Report, c Chain) []string {
	title := "a chain:"
	if !c.Sure {
		title = "a probable chain:"
	}
	lines := []string{title}
	for i, tid := range c.Threads {
		if i == maxWaitLines {
			return append(lines, fmt.Sprintf("    … %s more", count(len(c.Threads)-i, "thread")))
		}
		arrow := "└─▶ "
		if i == 0 {
			arrow = "    "
		}
		lines = append(lines, arrow+waitLine(r, tid))
	}
	if c.EndedTID != nil {
		lines = append(lines, fmt.Sprintf("└─▶ thread %d, which has ended", *c.EndedTID))
	}
	return lines
}

// waitLine is "thread 10 (payer) in transfer: waits for the mutex b (0x404100), which thread 11 has".
func waitLine(r *Report, tid int) string {
	for _, s := range r.Threads {
		if s.TID != tid {
			continue
		}
		line := stackName(s)
		if f := ownFrame(s); f != nil {
			line += " in " + frameName(*f)
		}
		if s.Wait == nil {
			return line
		}
		return line + ": " + orElse(deref(s.Wait.Text), s.Wait.Kind)
	}
	return fmt.Sprintf("thread %d", tid)
}

// ownFrame is the innermost frame of the program's own code.
func ownFrame(s Stack) *Frame {
	for i := range s.Frames {
		if f := &s.Frames[i]; !foldable[f.Kind] && f.Symbol != nil {
			return f
		}
	}
	return nil
}

// waitGraph draws who waits for whom.
func (t *text) waitGraph() {
	lines := waitLines(t.r)
	if len(lines) == 0 {
		return
	}
	t.heading("Who waits for whom")
	for _, line := range lines {
		t.line(2, 6, span{line, plain})
	}
}
