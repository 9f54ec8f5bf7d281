package crash

import "fmt"

// SyscallName is the name of an x86-64 system call, or "system call N" for one that the table does not hold.
func SyscallName(number int64) string {
	if n, ok := syscallNames[number]; ok {
		return n
	}
	return fmt.Sprintf("system call %d", number)
}
