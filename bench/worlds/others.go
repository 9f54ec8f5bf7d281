package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"meshdiag/lab"
)

func httpPort(s *site) string { return strconv.Itoa(s.HTTPPort) }
func wsPort(s *site) string   { return strconv.Itoa(s.WSPort) }

// onePort gives both servers the same.
func onePort(s *site) error { s.set("MESHER_HTTP_PORT", wsPort(s)); return nil }

// privileged lets an ordinary user ask for port 80.
func privileged(s *site) error {
	if err := s.unprivileged(); err != nil {
		return err
	}
	first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if n, bad := strconv.Atoi(strings.TrimSpace(string(first))); err != nil || bad != nil || n <= 80 {
		return errNotHere{"every user may take port 80 on this machine"}
	}
	s.set("MESHER_HTTP_PORT", "80")
	return nil
}

// unprivileged lets nobody run meshdiag and the program, where root makes the world.
func (s *site) unprivileged() error {
	if os.Geteuid() != 0 {
		return nil
	}
	if err := s.copied(s.folder); err != nil {
		return err
	}
	s.before = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	return nil
}

// fault takes the program of a fault whose reason lies beside it.
func (s *site) fault(id string) error {
	faults, err := lab.Catalogue()
	if err != nil {
		return err
	}
	for _, f := range faults {
		if f.ID == id {
			other, err := lab.NewScenario(s.ctx, f, lab.Variant{}, s.pg)
			if err != nil {
				return err
			}
			s.later(other.Cleanup)
			s.Path = other.Path
			return nil
		}
	}
	return os.ErrNotExist
}

func oldRuntime(s *site) error { return s.fault("shared-missing-at-start") }

// noRuntime is a program whose shared runtime somebody has taken away.
func noRuntime(s *site) error {
	if err := s.copied(s.folder); err != nil {
		return err
	}
	source, lib := filepath.Join(s.folder, "rt.c"), filepath.Join(s.folder, "libmesh_extra.so")
	if err := os.WriteFile(source, []byte("int mesh_extra(void) { return 0; }"), 0o644); err != nil {
		return err
	}
	if err := tool("gcc", "-shared", "-fPIC", "-Wl,-soname,libmesh_extra.so", "-o", lib, source); err != nil {
		return err
	}
	main := filepath.Join(s.folder, "main.c")
	if err := os.WriteFile(main, []byte("int mesh_extra(void); int main(void) { return mesh_extra(); }"), 0o644); err != nil {
		return err
	}
	s.Path = filepath.Join(s.folder, "server")
	if err := tool("gcc", "-o", s.Path, main, "-L"+s.folder, "-lmesh_extra"); err != nil {
		return err
	}
	return os.Remove(lib)
}

// otherLibc is a program that asks for the loader of another C library, as one built on such a system does.
func otherLibc(s *site) error {
	source := filepath.Join(s.folder, "main.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }"), 0o644); err != nil {
		return err
	}
	s.Path = filepath.Join(s.folder, "server")
	return tool("gcc", "-o", s.Path, source, "-Wl,--dynamic-linker=/lib/ld-musl-elsewhere.so.1")
}

func notExecutable(s *site) error {
	if err := s.copied(s.folder); err != nil {
		return err
	}
	return os.Chmod(s.Path, 0o644)
}

// noexec is a file system from which nothing may be executed.
func noexec(s *site) error {
	if err := unix.Mount("tmpfs", s.folder, "tmpfs", unix.MS_NOEXEC, "size=32m,mode=0755"); err != nil {
		return errNotHere{"mounting a file system: " + err.Error()}
	}
	s.later(func() { _ = unix.Unmount(s.folder, unix.MNT_DETACH) })
	return s.copied(s.folder)
}

// stale is a program three days older than the runtime archive beside it, and its database is down as well.
func stale(s *site) error {
	if err := s.copied(s.folder); err != nil {
		return err
	}
	past := time.Now().Add(-73 * time.Hour)
	if err := os.Chtimes(s.Path, past, past); err != nil {
		return err
	}
	s.database("postgres://mesh:mesh@127.0.0.1:1/mesher")
	source, object := filepath.Join(s.folder, "rt.c"), filepath.Join(s.folder, "rt.o")
	if err := os.WriteFile(source, []byte("int mesh_rt_init(void) { return 0; }"), 0o644); err != nil {
		return err
	}
	if err := tool("gcc", "-c", "-o", object, source); err != nil {
		return err
	}
	return tool("ar", "rcs", filepath.Join(s.folder, "libmesh_rt.a"), object)
}

func tool(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return &exec.Error{Name: name + ": " + string(out), Err: err}
	}
	return nil
}

// memory limits the address space of the running program to a little more than it uses, then asks for something.
func memory(s *site) error {
	s.Fault.Trigger = lab.Trigger{LimitMiB: 4, HTTP: []string{`POST /events {"project":"website","level":"info","message":"{{abcdefghijklmnopqrstuvwxyz0123 *2500}}"}`}}
	s.stall = 5 * time.Second
	return nil
}

// killed ends the program by a signal once it serves.
func killed(signal string) func(*site) error {
	return func(s *site) error {
		s.Fault.Trigger = lab.Trigger{HTTP: []string{"GET /health"}, EndAfter: signal}
		s.stall = 5 * time.Second
		return nil
	}
}
