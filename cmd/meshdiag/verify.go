package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"meshdiag/diagnose"
	"meshdiag/report"
)

const verifyLong = `Boot PROGRAM and check what a person would check by hand: every start-up message in its
order, the database that it uses, an HTTP answer, a WebSocket handshake, that it stays
alive with all its threads and prints no failure, and that nothing panicked. Then end it, or
with --keep let it run on.

What must hold is data of the profile (see "meshdiag profiles"). The program's own output
goes to stderr with --output-too, else nowhere.

Exit status: 0 all holds; 1 meshdiag failed; 2 wrong usage; 3 something does not hold.`

const verifyExample = `  meshdiag verify ./mesher
  meshdiag verify --junit boot.xml ./mesher      for a build server
  meshdiag verify --format json ./mesher
  meshdiag verify --profile my.toml ./server     a program of your own
  meshdiag verify --keep ./mesher                leave it running when all holds`

// verifySchema names the form of verify's JSON.
const verifySchema = "meshdiag/verify/v1"

type verifying struct {
	diagnose.VerifyOptions
	format, junit string
	outputToo     bool
}

var verifyFormats = []string{"text", "json"}

func newVerify(status *int) *cobra.Command {
	var v verifying
	cmd := &cobra.Command{
		Use:     "verify [flags] [--] PROGRAM [ARGS...]",
		Short:   "Boot a program and check that it is well",
		Long:    verifyLong,
		Example: verifyExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errUsage("verify", "no program to verify")
			}
			v.Path, v.Args, v.Version = args[0], args[1:], toolVersion()
			var err error
			*status, err = v.run(cmd.Context())
			return err
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVar(&v.Profile, "profile", "", "profile of the runtime: a name, a `FILE`, or none (default: recognised from the binary)")
	f.DurationVar(&v.Boot, "boot", 15*time.Second, "how long its servers may take to listen")
	f.DurationVar(&v.Settle, "settle", time.Second, "how long it must stay well after that")
	f.BoolVar(&v.Keep, "keep", false, "leave it running when all holds")
	f.StringVar(&v.format, "format", "text", "text or json, on stdout")
	f.StringVar(&v.junit, "junit", "", "write the checks to `FILE` as JUnit XML, too")
	f.BoolVar(&v.outputToo, "output-too", false, "show the program's own output on stderr")
	return cmd
}

func (v *verifying) run(ctx context.Context) (int, error) {
	if !slices.Contains(verifyFormats, v.format) {
		return 0, errChoice("verify", "format", v.format, verifyFormats)
	}
	if v.Boot <= 0 || v.Settle < 0 {
		return 0, errUsage("verify", "--boot must be more than 0, --settle not less")
	}
	if err := checkProfile(v.Profile); err != nil {
		return 0, err
	}
	var junit *sink
	if v.junit != "" { // a file that cannot be written is told before anything runs
		var err error
		if junit, err = newFileSink(&output{path: v.junit}); err != nil {
			return 0, errWriteJUnit(v.junit, err)
		}
		defer junit.discard()
	}
	v.Stdout = os.Stderr
	if !v.outputToo {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return 0, errDiagnose(err)
		}
		defer null.Close()
		v.Stdout = null
	}
	live := term.IsTerminal(int(os.Stderr.Fd()))
	if live {
		v.Progress = func(what string) { fmt.Fprintf(os.Stderr, "\r\x1b[K... %s", what) }
	}
	result, err := diagnose.Verify(ctx, v.VerifyOptions)
	if live {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	if err != nil {
		return 0, errDiagnose(err)
	}
	if err := v.write(result, junit); err != nil {
		return 0, err
	}
	if result.OK() {
		return statusHealthy, nil
	}
	return statusFault, nil
}

func (v *verifying) write(result *diagnose.Verification, junit *sink) error {
	if junit != nil {
		if err := junit.finish(junitXML(result)); err != nil {
			return errWriteJUnit(v.junit, err)
		}
	}
	var b bytes.Buffer
	if v.format == "json" {
		verifyJSON(&b, result)
	} else {
		verifyTable(&b, result)
	}
	if _, err := os.Stdout.Write(b.Bytes()); err != nil {
		return errWrite("stdout", err)
	}
	return nil
}

// verifyTable is one line per check, and below those that failed what to do.
func verifyTable(w io.Writer, r *diagnose.Verification) {
	bad, silent := 0, 0
	for i, c := range r.Checks {
		verdict, at := "ok  ", "         "
		if !c.OK {
			verdict = "FAIL"
			bad++
		}
		if neverPrinted(r.Checks, i) && neverPrinted(r.Checks, i-1) {
			silent++
			if !neverPrinted(r.Checks, i+1) {
				fmt.Fprintf(w, "FAIL             %-28s nor %s after it\n", "startup-...", counted(silent, "message"))
			}
			continue
		}
		if c.AtS != nil {
			at = fmt.Sprintf("%7.3f s", *c.AtS)
		}
		fmt.Fprintf(w, "%s  %s  %-28s %s\n", verdict, at, c.ID, c.Detail)
		for _, next := range c.Next {
			if !c.OK {
				fmt.Fprintf(w, "                   do: %s\n", report.Clean(next))
			}
		}
	}
	if bad == 0 {
		fmt.Fprintf(w, "%s is well: %d checks, %.1f s to boot\n", report.Clean(r.Target), len(r.Checks), r.BootS)
		if r.Kept != 0 {
			fmt.Fprintf(w, "it runs on as process %d; to end it: kill %d\n", r.Kept, r.Kept)
		}
		return
	}
	fmt.Fprintf(w, "%s is not well: %d of %d checks failed\n", report.Clean(r.Target), bad, len(r.Checks))
}

// neverPrinted reports whether check i is a start-up message that did not come.
func neverPrinted(checks []diagnose.Verified, i int) bool {
	return i >= 0 && i < len(checks) && !checks[i].OK && checks[i].AtS == nil && strings.HasPrefix(checks[i].ID, "startup-")
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func verifyJSON(w *bytes.Buffer, r *diagnose.Verification) {
	out := struct {
		Schema string              `json:"schema"`
		Target string              `json:"target"`
		OK     bool                `json:"ok"`
		BootS  float64             `json:"boot_s"`
		Kept   *int                `json:"kept_pid"`
		Checks []diagnose.Verified `json:"checks"`
		Report *report.Report      `json:"report"`
	}{verifySchema, report.Clean(r.Target), r.OK(), r.BootS, nil, slices.Clone(r.Checks), nil}
	if r.Kept != 0 {
		out.Kept = &r.Kept
	}
	if !r.OK() {
		out.Report = r.Report
	}
	for i := range out.Checks {
		if out.Checks[i].Next == nil {
			out.Checks[i].Next = []string{}
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(out) // plain values into a buffer cannot fail
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// junitXML is the form that build servers read.
func junitXML(r *diagnose.Verification) []byte {
	suite := struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}{Name: "meshdiag verify", Tests: len(r.Checks), Time: fmt.Sprintf("%.3f", r.BootS)}
	for _, c := range r.Checks {
		one := junitCase{Name: c.ID, Class: report.Clean(r.Target)}
		if !c.OK {
			suite.Failures++
			one.Failure = &junitFailure{Message: c.Detail}
			for _, next := range c.Next {
				one.Failure.Text += report.Clean(next) + "\n"
			}
		}
		suite.Cases = append(suite.Cases, one)
	}
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return nil // strings and numbers only
	}
	return append([]byte(xml.Header), append(out, '\n')...)
}
