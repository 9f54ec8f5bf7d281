package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"meshdiag/crash"
)

// procFile reads /proc/ID/NAME; ID may be any thread, which matters when the leader exited first.
func procFile(id int, name string) ([]byte, error) {
	return os.ReadFile("/proc/" + strconv.Itoa(id) + "/" + name)
}

// parseMaps reads /proc/PID/maps (proc(5)). Lines that do not parse are counted, not guessed.
func parseMaps(data []byte) (maps []crash.Mapping, bad int) {
	maps = make([]crash.Mapping, 0, bytes.Count(data, []byte("\n")))
	for line := range bytes.Lines(data) {
		m, ok := parseMapsLine(string(bytes.TrimSuffix(line, []byte("\n"))))
		if !ok {
			bad++
			continue
		}
		maps = append(maps, m)
	}
	return maps, bad
}

// parseMapsLine takes apart "start-end perms offset dev inode   path".
func parseMapsLine(line string) (crash.Mapping, bool) {
	m := crash.Mapping{PermsOK: true, FileSize: -1}
	addrs, rest, ok1 := strings.Cut(line, " ")
	perms, rest, ok2 := strings.Cut(rest, " ")
	offset, rest, ok3 := strings.Cut(rest, " ")
	_, rest, ok4 := strings.Cut(rest, " ") // device
	if !ok1 || !ok2 || !ok3 || !ok4 || len(perms) < 4 {
		return m, false
	}
	_, path, _ := strings.Cut(rest, " ") // inode
	start, end, _ := strings.Cut(addrs, "-")
	var err [3]error
	m.Start, err[0] = strconv.ParseUint(start, 16, 64)
	m.End, err[1] = strconv.ParseUint(end, 16, 64)
	m.Offset, err[2] = strconv.ParseUint(offset, 16, 64)
	if err != [3]error{} || m.End <= m.Start {
		return m, false
	}
	for i, bit := range []struct {
		letter byte
		perm   crash.Perms
	}{{'r', crash.Read}, {'w', crash.Write}, {'x', crash.Exec}, {'s', crash.Shared}} {
		if perms[i] == bit.letter {
			m.Perms |= bit.perm
		}
	}
	m.Path, m.Deleted = strings.CutSuffix(unescapePath(strings.TrimLeft(path, " ")), " (deleted)")
	return m, true
}

// unescapePath undoes the only escape of maps, \012 for a newline in a file name.
func unescapePath(s string) string { return strings.ReplaceAll(s, `\012`, "\n") }

// mappings reads the maps of a process and the sizes of the mapped files.
func mappings(tid int) ([]crash.Mapping, error) {
	data, err := procFile(tid, "maps")
	if err != nil {
		return nil, err
	}
	maps, bad := parseMaps(data)
	fileSizes(maps)
	if bad > 0 {
		return maps, fmt.Errorf("%d lines of /proc/%d/maps could not be understood", bad, tid)
	}
	return maps, nil
}

func fileSizes(maps []crash.Mapping) {
	sizes := map[string]int64{}
	for i := range maps {
		m := &maps[i]
		if !filepath.IsAbs(m.Path) || m.Deleted {
			continue
		}
		size, ok := sizes[m.Path]
		if !ok {
			size = -1
			if st, err := os.Stat(m.Path); err == nil && st.Mode().IsRegular() {
				size = st.Size()
			}
			sizes[m.Path] = size
		}
		m.FileSize = size
	}
}

// parseAuxv reads pairs of words up to AT_NULL (getauxval(3)); nil when there are none.
func parseAuxv(data []byte) map[uint64]uint64 {
	var aux map[uint64]uint64
	for len(data) >= 16 {
		key, value := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])
		if key == 0 {
			break
		}
		if aux == nil {
			aux = make(map[uint64]uint64, 24)
		}
		aux[key] = value
		data = data[16:]
	}
	return aux
}

// splitNUL splits argv or environ; a last string that was not ended counts too.
func splitNUL(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// statusField finds "Key:\tvalue" in /proc/PID/status.
func statusField(status []byte, key string) (string, bool) {
	for line := range bytes.Lines(status) {
		if k, v, ok := strings.Cut(string(line), ":"); ok && k == key {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// statusMask is a hexadecimal signal set of /proc/PID/status.
func statusMask(status []byte, key string) (uint64, bool) {
	text, ok := statusField(status, key)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseUint(text, 16, 64)
	return v, err == nil
}

// statusNumber is a decimal field of /proc/PID/status.
func statusNumber(status []byte, key string) (int, bool) {
	text, ok := statusField(status, key)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// threadOf reports whether tid is a thread of process pid, without reading a file.
func threadOf(pid, tid int) bool {
	_, err := os.Lstat(fmt.Sprintf("/proc/%d/task/%d", pid, tid))
	return err == nil
}

// parseState takes the one-letter state out of /proc/PID/stat; comm may contain anything, so it starts behind the last ')'.
func parseState(stat []byte) string {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 || i+2 >= len(stat) {
		return ""
	}
	return string(stat[i+2 : i+3])
}

// comm is a thread's name, "" when it is gone.
func comm(tid int) string {
	data, err := procFile(tid, "comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}
