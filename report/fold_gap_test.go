package report

import (
	"strings"
	"testing"
)

func TestFoldTellsWhatIsNotListed(t *testing.T) {
	name := func(s string) *string { return &s }
	var frames []Frame
	for i := 0; i < 100; i++ {
		frames = append(frames, Frame{Index: i, Symbol: name("walk"), Kind: "other"})
	}
	frames = append(frames, Frame{Index: 5000, Symbol: name("walk"), Kind: "other"},
		Frame{Index: 5001, Symbol: name("run"), Kind: "other"}, Frame{Index: 5010, Symbol: name("main"), Kind: "other"})
	var got []string
	for _, e := range fold(frames) {
		if e.frame != nil {
			got = append(got, *e.frame.Symbol)
		} else {
			got = append(got, e.note)
		}
	}
	want := "walk|… the frame above 5000 more times|run|… 8 frames that are not listed|main"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}
