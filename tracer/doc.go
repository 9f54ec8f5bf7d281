// Package tracer launches a program under ptrace and hands over what is seen of it at its last moment as a crash.Crash.
//
// It watches signals at first chance, thread and process creation, exec, exits, panic breakpoints and a stall watchdog;
// it passes the program's input and output through while it keeps the lines; and it lets the program run exactly as it
// would have: the same bytes, the same exit status or signal, its own handlers, its own core dump. It stops a thread only
// at signals and ptrace events, never at system calls.
//
// It observes and must not interpret: it knows no causes, no symbols beyond the addresses it is given, no runtime.
//
// What a watched program can still notice: it is traced (TracerPid, a debugger cannot attach), its standard streams are
// pipes or pseudo-terminals of ours instead of the user's, and a signal that was ignored before meshdiag started is
// ignored in the program only if it is SIGHUP or SIGINT (the Go runtime replaces the others).
package tracer
