package probe

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"meshdiag/lazyregexp"
)

const (
	causeExit       = "exit-failure"
	kindNoFiles     = "no-files"
	kindNoSpace     = "no-space"
	kindNoProcesses = "no-processes"
)

// spareFiles is how few free descriptors count as none.
const spareFiles = 4

func files(limits map[string]uint64, dir string) Check {
	const id = OpenFileLimit
	most, known := limits["Max open files"]
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil || !known {
		return passed(id, "the number of open files is not known")
	}
	if uint64(len(entries))+spareFiles < most {
		return passed(id, "%d of at most %d files are open", len(entries), most)
	}
	text := fmt.Sprintf("%d files are open and at most %d may be (ulimit -n): the next open, accept or connect fails", len(entries), most)
	if most := mostOpen(dir, entries); most != "" {
		text += ". Most of them are " + most
	}
	return Check{ID: id, Detail: text, Cause: causeExit, Kind: kindNoFiles,
		Next: []string{"look for what is opened and never closed", "if it needs that many: ulimit -n 65536   (systemd: LimitNOFILE=)"}}
}

// FilesWereOut is for a program that said that it was out of descriptors, and had closed some when it was looked at (an
// unwound stack does): the limit is what is left to tell.
func FilesWereOut(pid int) (Check, bool) {
	dir := "/proc/self"
	if pid > 0 {
		dir = "/proc/" + strconv.Itoa(pid)
	}
	data, err := os.ReadFile(dir + "/limits")
	if err != nil {
		return Check{}, false
	}
	most, known := rlimits(data)["Max open files"]
	entries, err := os.ReadDir(dir + "/fd")
	if err != nil || !known || most == unlimited {
		return Check{}, false
	}
	return Check{ID: OpenFileLimit, Cause: causeExit, Kind: kindNoFiles, Hint: true,
		Detail: fmt.Sprintf("at most %d files may be open at a time (ulimit -n); %d were when it ended, the others had been closed on the way", most, len(entries)),
		Next:   []string{"look for what is opened and never closed", "if it needs that many: ulimit -n 65536   (systemd: LimitNOFILE=)"}}, true
}

// maxSeenFiles bounds the descriptors that are looked at.
const maxSeenFiles = 4096

// number is what tells descriptors of one kind apart: "socket:[1234]".
var number = lazyregexp.New(`:\[\d+\]$`)

// mostOpen says what the descriptors lead to, when some lead to the same: "60 times /etc/hostname, 4 times socket".
func mostOpen(dir string, entries []os.DirEntry) string {
	count := map[string]int{}
	for _, e := range entries[:min(len(entries), maxSeenFiles)] {
		if to, err := os.Readlink(filepath.Join(dir, "fd", e.Name())); err == nil {
			count[number().ReplaceAllString(strings.TrimSuffix(to, " (deleted)"), "")]++
		}
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), strings.Compare(a, b))
	})
	if len(names) == 0 || count[names[0]] < 2 {
		return ""
	}
	text := fmt.Sprintf("%d times %s", count[names[0]], names[0])
	if len(names) > 1 && count[names[1]] > 1 {
		text += fmt.Sprintf(", %d times %s", count[names[1]], names[1])
	}
	return text
}

// SystemFiles checks the files of the whole machine (ENFILE).
func SystemFiles() Check {
	const id = "limit-files-system"
	data, err := os.ReadFile("/proc/sys/fs/file-nr")
	f := strings.Fields(string(data))
	if err != nil || len(f) != 3 {
		return passed(id, "the number of open files of this machine is not known")
	}
	used, err1 := strconv.ParseUint(f[0], 10, 64)
	most, err2 := strconv.ParseUint(f[2], 10, 64)
	if err1 != nil || err2 != nil || used < most-most/100 {
		return passed(id, "%s of at most %s files are open on this machine", f[0], f[2])
	}
	return Check{ID: id, Cause: causeExit, Kind: kindNoFiles, Detail: fmt.Sprintf("%d files are open on this machine, and at most %d may be (fs.file-max)", used, most),
		Next: []string{"find who holds them: lsof -n | awk '{print $1, $2}' | sort | uniq -c | sort -n | tail", "sudo sysctl fs.file-max=" + strconv.FormatUint(2*most, 10)}}
}

// FileSize checks a file that a descriptor of a process leads to against the limit of a file's size.
func FileSize(pid, fd int) (Check, bool) {
	const id = "limit-file-size"
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	if err != nil {
		return Check{}, false
	}
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return Check{}, false
	}
	most := rlimits(data)["Max file size"]
	text := path
	if st, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); err == nil {
		text = fmt.Sprintf("%s, which has %s", path, bytesText(uint64(st.Size())))
	}
	return Check{ID: id, Detail: fmt.Sprintf("the file is %s; at most %s are allowed (ulimit -f)", text, bytesText(most))}, true
}
