package diagnose

import (
	"context"

	"meshdiag/debuginfod"
	"meshdiag/profile"
	"meshdiag/symbols"
)

// Fetching says where binaries and debug information come from that are not where they belong. The zero value fetches
// nothing.
type Fetching struct {
	Client    *debuginfod.Client
	CacheOnly bool // take what was fetched earlier, by whatever tool, and ask no server
}

// NewFetching makes the client that c describes.
func NewFetching(c debuginfod.Config, cacheOnly bool) Fetching {
	return Fetching{Client: debuginfod.New(c, symbols.BuildID), CacheOnly: cacheOnly}
}

// fetch is the symbolizer's last resort; nil when there is none.
func (w *walk) fetch(ctx context.Context) func(*symbols.Module, symbols.Fetched) string {
	f := w.options.Fetching
	if f.Client == nil {
		return nil
	}
	return func(m *symbols.Module, what symbols.Fetched) string {
		q := debuginfod.Request{Kind: debuginfod.Executable, BuildID: m.BuildID, Name: m.Name(), CacheOnly: f.CacheOnly}
		if what == symbols.FetchDebug {
			q.Kind = debuginfod.Debuginfo
			// Frames of libc are folded in every report, and its exported names are in its own file.
			q.CacheOnly = q.CacheOnly || (*profile.Profile)(nil).Classify("", "", m.Path, m.Main).Kind == profile.KindLibc
		}
		path, err := f.Client.Find(ctx, q)
		if err != nil {
			return "" // Notes tells why
		}
		return path
	}
}

// fetchNotes are the sentences on what was fetched and what could not be.
func (w *walk) fetchNotes() []string {
	if w.options.Fetching.Client == nil {
		return nil
	}
	return w.options.Fetching.Client.Notes()
}
