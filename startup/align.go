package startup

import (
	"strings"
	"unicode"

	"meshdiag/profile"
)

// align matches the binary's messages with a sequence's phases: pair[i] is the phase of step i, -1 none. A message that
// a phase's pattern knows is that phase, wherever it stands. The others were reworded or are new: between two that are
// known they are matched by what they say and by the functions that are called before them, in order; a single one on
// each side is matched by its place alone.
func align(steps []printed, phases []profile.Phase) []int {
	pair := make([]int, len(steps))
	used := make([]bool, len(phases))
	for i := range steps {
		pair[i] = phaseOf(&steps[i], phases)
		if pair[i] >= 0 {
			used[pair[i]] = true
		}
	}
	for lo := 0; lo < len(steps); {
		if pair[lo] >= 0 {
			lo++
			continue
		}
		hi := lo
		for hi < len(steps) && pair[hi] < 0 {
			hi++
		}
		alignGap(steps, lo, hi, openPhases(pair, lo, hi, used, phases), phases, pair)
		lo = hi
	}
	return pair
}

// phaseOf is the phase whose pattern or constant knows one of the message's wordings, -1 none.
func phaseOf(s *printed, phases []profile.Phase) int {
	for j := range phases {
		for _, pieces := range s.texts {
			whole := strings.Join(pieces, "")
			if phases[j].Message.MatchString(whole) || phases[j].Literal != "" && pieces[0] == phases[j].Literal {
				return j
			}
		}
	}
	return -1
}

// openPhases lists the phases that may stand in the gap [lo,hi): not used, after the known phase before the gap and
// before the one behind it, and printed by the program itself.
func openPhases(pair []int, lo, hi int, used []bool, phases []profile.Phase) []int {
	from, to := 0, len(phases)
	if lo > 0 {
		from = pair[lo-1] + 1
	}
	if hi < len(pair) {
		to = pair[hi]
	}
	var open []int
	for j := from; j < to; j++ {
		if !used[j] && phases[j].Literal != "" {
			open = append(open, j)
		}
	}
	return open
}

// leastAlike is how alike a reworded message and a phase must be, of 100, to be matched by more than their place.
const leastAlike = 40

// alignGap matches steps lo to hi with the open phases so that the sum of likeness is greatest and the order is kept.
func alignGap(steps []printed, lo, hi int, open []int, phases []profile.Phase, pair []int) {
	n, m := hi-lo, len(open)
	if m == 0 {
		return
	}
	if n == 1 && m == 1 {
		pair[lo] = open[0]
		return
	}
	best := make([][]int, n+1)
	for i := range best {
		best[i] = make([]int, m+1)
	}
	like := func(i, j int) int {
		if l := alike(steps, lo+i, &phases[open[j]]); l >= leastAlike {
			return l
		}
		return -1
	}
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			best[i][j] = max(best[i+1][j], best[i][j+1])
			if l := like(i, j); l >= 0 {
				best[i][j] = max(best[i][j], l+best[i+1][j+1])
			}
		}
	}
	for i, j := 0, 0; i < n && j < m; {
		l := like(i, j)
		switch {
		case l >= 0 && best[i][j] == l+best[i+1][j+1]:
			pair[lo+i] = open[j]
			i, j = i+1, j+1
		case best[i][j] == best[i+1][j]:
			i++
		default:
			j++
		}
	}
}

// alike is how much step i resembles a phase, 0 to 100: the share of common words, and whether a function called just
// before the message is named after the phase.
func alike(steps []printed, i int, ph *profile.Phase) int {
	said, known := wordsOf(strings.Join(steps[i].texts[0], " ")), wordsOf(ph.Literal)
	common := 0
	for _, w := range known {
		for _, s := range said {
			if w == s {
				common++
				break
			}
		}
	}
	score := 0
	if n := len(said) + len(known); n > 0 {
		score = 200 * common / n
	}
	name := letters(ph.ID)
	for _, call := range steps[i].before {
		if len(name) >= 4 && strings.Contains(letters(call), name) {
			score += 50
			break
		}
	}
	return min(score, 100)
}

// wordsOf are the words of a message in lower case, without a leading tag in brackets.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(title(text)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// letters keeps the letters and digits of a name, so that "org-service" is found in "__service_orgservice_start".
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
