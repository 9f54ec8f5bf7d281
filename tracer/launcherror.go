package tracer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"meshdiag/crash"
)

// launchError is a failure of the program to start: one sentence for the user, and what to type.
type launchError struct {
	kind     crash.LaunchKind
	sentence string
	next     []string
	vague    bool // the content tells nothing but that it is no program
}

func (e *launchError) Error() string { return e.sentence }

func refused(kind crash.LaunchKind, sentence string, next ...string) *launchError {
	return &launchError{kind: kind, sentence: sentence, next: next}
}

// explainLaunch turns the errno of a failed exec into one sentence about the file.
func explainLaunch(path, dir string, cause error) *launchError {
	full := path
	if dir != "" && !filepath.IsAbs(path) {
		full = filepath.Join(dir, path)
	}
	if dir != "" {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return refused(crash.LaunchNotFound, fmt.Sprintf("The working directory %s does not exist.", dir), "mkdir -p "+word(dir))
		}
	}
	return explainFile(full, cause)
}

func explainFile(path string, cause error) *launchError {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return notThere(path)
	case errors.Is(err, unix.ENOTDIR):
		return refused(crash.LaunchNotFound, fmt.Sprintf("%s cannot exist: a part of the path before the last is not a directory.", path), "namei "+word(path))
	case errors.Is(err, unix.ELOOP):
		return refused(crash.LaunchNotFound, fmt.Sprintf("%s is a symbolic link that leads back to itself.", path), "namei "+word(path))
	case errors.Is(err, os.ErrPermission):
		return refused(crash.LaunchPermission, fmt.Sprintf("%s cannot be reached: no permission to enter one of its directories.", path), "namei -l "+word(path))
	case err != nil:
		return refused(crash.LaunchOther, fmt.Sprintf("%s cannot be launched: %v.", path, err))
	case st.IsDir():
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is a directory, not a program.", path), programsIn(path)...)
	case !st.Mode().IsRegular():
		return refused(crash.LaunchFormat, fmt.Sprintf("%s is not a regular file.", path), "stat "+word(path))
	case st.Mode()&0o111 == 0:
		if e := explainContent(path); e != nil && e.kind == crash.LaunchFormat && !e.vague {
			return e // with the permission set it would not run either
		}
		return refused(crash.LaunchPermission, fmt.Sprintf("%s is not executable: no execute permission is set.", path), "chmod +x "+word(path))
	}
	switch {
	case errors.Is(cause, unix.EACCES):
		return notPermitted(path, st)
	case errors.Is(cause, unix.ETXTBSY):
		return beingWritten(path)
	case errors.Is(cause, unix.E2BIG):
		return refused(crash.LaunchOther, fmt.Sprintf("%s cannot be launched: the arguments and the environment together are too long.", path),
			"getconf ARG_MAX; env | wc -c", "pass long lists through a file or stdin")
	case errors.Is(cause, unix.EAGAIN), errors.Is(cause, unix.ENOMEM):
		return refused(crash.LaunchOther, fmt.Sprintf("%s cannot be launched: the system refuses another process (%v).", path, cause), "ulimit -u; free -m; cat /proc/sys/kernel/threads-max")
	}
	if e := explainContent(path); e != nil {
		return e
	}
	return refused(crash.LaunchOther, fmt.Sprintf("%s cannot be launched: %v.", path, cause), "file "+word(path))
}

// notThere names a file of nearly the same name, if there is one.
func notThere(path string) *launchError {
	next := []string{"ls -l " + word(filepath.Dir(path))}
	if near := nearName(path); near != "" {
		next = []string{"did you mean " + near + "?"}
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return refused(crash.LaunchNotFound, fmt.Sprintf("%s does not exist, and neither does its folder.", path), "build the program first, or look for it: find . -name "+word(filepath.Base(path)))
	}
	return refused(crash.LaunchNotFound, fmt.Sprintf("%s does not exist.", path), next...)
}

// notInPath is for a name without a slash.
func notInPath(name string) *launchError {
	return refused(crash.LaunchNotFound, fmt.Sprintf("There is no program called %q in PATH.", name),
		"find . -name "+word(name)+" -type f   (and run it with its path)", "echo $PATH")
}

// notPermitted tells the reasons of EACCES apart for a file that has an execute permission.
func notPermitted(path string, st os.FileInfo) *launchError {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0 {
		return refused(crash.LaunchNoexec, fmt.Sprintf("%s lies on a file system that is mounted noexec: no program on it may be executed.", path),
			"findmnt -T "+word(path), "copy it elsewhere: cp "+word(path)+" /usr/local/bin/")
	}
	if unix.Access(path, unix.X_OK) != nil {
		owner := "another user"
		if uid, ok := statUID(st); ok {
			owner = "user " + strconv.Itoa(uid)
		}
		return refused(crash.LaunchPermission, fmt.Sprintf("%s may not be executed by user %d: it belongs to %s, and its permissions are %s.", path, os.Getuid(), owner, st.Mode().Perm()),
			"ls -l "+word(path), "chmod a+x "+word(path))
	}
	if e := explainContent(path); e != nil {
		return e // a script whose interpreter may not be executed
	}
	return refused(crash.LaunchPermission, fmt.Sprintf("%s may not be executed, although its permissions allow it: a security module (AppArmor, SELinux) or its file system forbids it.", path),
		"journalctl -k | grep -i -e denied -e avc")
}

// beingWritten names the process that has a file open for writing.
func beingWritten(path string) *launchError {
	next := "lsof " + word(path)
	text := "another process"
	if p := writerOf(path); p != nil {
		text = fmt.Sprintf("process %d (%s)", p.PID, p.Name)
		next = fmt.Sprintf("wait until it has finished, or: ps -o pid,ppid,args -p %d", p.PID)
	}
	return refused(crash.LaunchBusy, fmt.Sprintf("%s is being written by %s: a file that is open for writing cannot be executed.", path, text),
		next, "a build should write to a new file and rename it")
}

// writerOf finds a process that has a file open for writing (flags in /proc/PID/fdinfo/FD).
func writerOf(path string) *crash.OtherProcess {
	want, err := os.Stat(path)
	if err != nil {
		return nil
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		st, err := os.Stat(fd)
		if err != nil || !os.SameFile(want, st) {
			continue
		}
		info, err := os.ReadFile(strings.Replace(fd, "/fd/", "/fdinfo/", 1))
		flags, ok := statusField(info, "flags")
		mode, err2 := strconv.ParseInt(flags, 8, 64)
		if err != nil || !ok || err2 != nil || mode&unix.O_ACCMODE == unix.O_RDONLY {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(fd, "/")[2])
		if err == nil {
			p := look(pid)
			return &p
		}
	}
	return nil
}

// maxNames bounds the entries of a folder that are compared.
const maxNames = 4096

// nearName is a program in the same folder whose name differs by case, ending, or one letter; "" none.
func nearName(path string) string {
	dir, name := filepath.Dir(path), filepath.Base(path)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries[:min(len(entries), maxNames)] {
		n := e.Name()
		if !strings.EqualFold(n, name) && strings.TrimSuffix(n, filepath.Ext(n)) != name && !oneEdit(n, name) {
			continue
		}
		if st, err := os.Stat(filepath.Join(dir, n)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return inFolder(dir, n)
		}
	}
	return ""
}

// oneEdit reports whether two names of some length differ by one letter that was changed, added or left out, or by two
// neighbours that were swapped.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < 3 || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	return i < len(a) && (a[i+1:] == b[i+1:] || swapped)
}

// programsIn says which programs a folder holds, for whoever named the folder instead.
func programsIn(dir string) []string {
	var found []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries[:min(len(entries), maxNames)] {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !strings.Contains(e.Name(), ".so") {
			found = append(found, word(inFolder(dir, e.Name())))
		}
	}
	switch {
	case len(found) == 0:
		return []string{"it holds no program: ls -l " + word(dir)}
	case len(found) > 3:
		return []string{fmt.Sprintf("it holds %d programs: %s ...", len(found), strings.Join(found[:3], ", "))}
	}
	return []string{"it holds " + strings.Join(found, ", ")}
}

// inFolder is a path that a shell takes as one.
func inFolder(dir, name string) string {
	path := filepath.Join(dir, name)
	if !strings.Contains(path, "/") {
		return "./" + path
	}
	return path
}

// word makes s one word of a POSIX shell.
func word(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@%+,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// inPath is the path of an installed program; "" none.
func inPath(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

func statUID(st os.FileInfo) (int, bool) {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(sys.Uid), true
}
