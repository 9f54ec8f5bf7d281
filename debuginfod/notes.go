package debuginfod

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// notes collect what a report should say of the downloads.
type notes struct {
	lists []list // of files, by what became of them
	said  []string
}

// list is a sentence that ends with names.
type list struct {
	intro string
	files []string
}

// maxNamed bounds the files that are named in one sentence.
const maxNamed = 8

// Notes are sentences on what was fetched and what could not be. They quote names and words from outside, and hold no user
// name, password or path of a server.
func (c *Client) Notes() []string {
	var all []string
	for _, l := range c.notes.lists {
		files, more := l.files, ""
		if n := len(files) - maxNamed; n > 0 {
			files, more = files[:maxNamed], fmt.Sprintf(" and %d more", n)
		}
		all = append(all, l.intro+": "+strings.Join(files, ", ")+more+".")
	}
	return append(all, c.notes.said...)
}

func (n *notes) add(intro, file string) {
	for i := range n.lists {
		if n.lists[i].intro == intro {
			n.lists[i].files = append(n.lists[i].files, file)
			return
		}
	}
	n.lists = append(n.lists, list{intro, []string{file}})
}

// String is the file that is asked for, as people say it.
func (q Request) String() string {
	if q.Kind == Executable {
		return "the file of " + q.Name
	}
	return "the debug information of " + q.Name
}

func (n *notes) fetched(server *url.URL, q Request, size int64) {
	n.add("Fetched from "+display(server), fmt.Sprintf("%v (%s)", q, inBytes(size)))
}

// inBytes is a number of bytes as people say it.
func inBytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func (n *notes) missing(q Request) { n.add("No debuginfod server has", q.String()) }

func (n *notes) skipped(q Request) { n.add("Could not be fetched", q.String()) }

func (n *notes) tooLarge(server *url.URL, q Request, e *tooLargeError) {
	n.said = append(n.said, fmt.Sprintf("%s has %v, and %v (DEBUGINFOD_MAXSIZE).", display(server), q, e))
}

func (n *notes) failed(server *url.URL, err error) {
	n.said = append(n.said, fmt.Sprintf("%s failed and was not asked again: %v.", display(server), err))
}

// ended says why nothing more is fetched.
func (n *notes) ended(ctx context.Context, err error, limit time.Duration) {
	var local *localError
	why := "Fetching files was interrupted."
	switch {
	case errors.As(err, &local):
		why = fmt.Sprintf("Fetched files cannot be kept: %v.", err)
	case errors.Is(context.Cause(ctx), errTimeOver):
		why = fmt.Sprintf("Nothing more was fetched after %v (DEBUGINFOD_MAXTIME).", limit)
	}
	n.said = append(n.said, why)
}
