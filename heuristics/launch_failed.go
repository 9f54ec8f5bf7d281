package heuristics

import (
	"strings"

	"meshdiag/crash"
)

var launchFailed = Heuristic{Doc: docLaunch, Run: runLaunch}

func runLaunch(c *Case) Finding {
	o := &c.Crash.Outcome
	if o.End != crash.EndLaunchFailed || o.LaunchKind == "" {
		return Finding{}
	}
	h := hypothesis(idLaunch, string(o.LaunchKind))
	h.fact(true, "refused", "refused", wLaunchRefused, "the system refused to execute it, and the file tells why: %s", o.LaunchError)
	h.Title = strings.TrimSuffix(o.LaunchError, ".")
	h.Summary = o.LaunchError
	h.next(o.LaunchNext...)
	return finding(h)
}

var docLaunch = Doc{
	ID:    idLaunch,
	Title: "The program could not be started",
	Kinds: map[string]string{
		string(crash.LaunchNotFound):    "there is no such file, or none that its path leads to",
		string(crash.LaunchPermission):  "this user may not execute it, or not reach it",
		string(crash.LaunchNoexec):      "its file system is mounted noexec",
		string(crash.LaunchFormat):      "it is no program, or one for another system, or damaged",
		string(crash.LaunchInterpreter): "the interpreter of the script, or the dynamic loader of the program, is missing",
		string(crash.LaunchBusy):        "it is open for writing",
		string(crash.LaunchOther):       "the system refused for another reason",
	},
	Text: `The system refused to execute the file, so nothing of the program ran. execve(2) gives one of a dozen errors, and some of them for
several reasons ("No such file or directory" also means that the interpreter is missing, "Permission denied" also a noexec
mount): the file, its first bytes, its folder and its file system are looked at to tell which. One sentence says why, and
"next" what to type.

Example: "The script ./serve needs the interpreter /usr/bin/python, which does not exist." and: "python is
/usr/local/bin/python here: write #!/usr/local/bin/python as the first line".`,
	For:            []string{"the error of execve, and what is seen of the file"},
	Against:        []string{"the program printed something: then it ran"},
	FalsePositives: []string{"a file that is replaced while it is looked at"},
	Fix:            []string{"file PROGRAM; ls -l PROGRAM; namei -l PROGRAM; findmnt -T PROGRAM"},
}
