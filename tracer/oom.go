package tracer

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
)

// oomWatch counts the victims of the kernel's out-of-memory killer on this machine while the target runs. Which process
// was killed the kernel tells only in its log.
type oomWatch struct {
	mu     sync.Mutex
	before int // at the launch; -1 unknown
}

// begin may run beside the launch: what is killed in the first millisecond is not our target.
func (o *oomWatch) begin() {
	n := oomKills()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = n
}

// seen reports that there were victims.
func (o *oomWatch) seen() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.before >= 0 && oomKills() > o.before
}

func oomKills() int {
	data, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return -1
	}
	return parseOOMKills(data)
}

// parseOOMKills reads the counter oom_kill of /proc/vmstat (Linux 4.13); -1 when there is none.
func parseOOMKills(vmstat []byte) int {
	for line := range bytes.Lines(vmstat) {
		if value, ok := strings.CutPrefix(string(line), "oom_kill "); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
				return n
			}
		}
	}
	return -1
}
