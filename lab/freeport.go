package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports of the lab lie below those that the kernel gives to connections by itself (net.ipv4.ip_local_port_range).
const (
	firstPort = 12000
	portCount = 20000
	portTries = 500
	maxMarks  = 200
)

// marks keep ports from being given twice on this machine, also by another process: a name in the abstract namespace of
// Unix sockets belongs to one. The oldest are given back; whoever asked for those uses them, or is done.
var marks struct {
	sync.Mutex
	held []net.Listener
}

// FreePort is a TCP port that nothing listens on, and that is given to nobody else while it is new.
func FreePort() (int, error) {
	var last error
	for range portTries {
		port := firstPort + rand.N(portCount)
		mark, err := net.Listen("unix", "@meshdiag-lab-port-"+strconv.Itoa(port))
		if err != nil {
			last = err
			continue
		}
		l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			mark.Close()
			last = err
			continue
		}
		l.Close()
		keep(mark)
		return port, nil
	}
	return 0, fmt.Errorf("no free TCP port was found: %w", last)
}

func keep(mark net.Listener) {
	marks.Lock()
	defer marks.Unlock()
	marks.held = append(marks.held, mark)
	if len(marks.held) > maxMarks {
		marks.held[0].Close()
		marks.held = marks.held[1:]
	}
}
