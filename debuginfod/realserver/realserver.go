// Package realserver runs elfutils' debuginfod for tests.
package realserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"
)

// Server is a debuginfod that has indexed its folders.
type Server struct {
	URL string
	cmd *exec.Cmd
	log bytes.Buffer
}

// Start starts a server for the ELF files below the folders and waits until it knows them. Without debuginfod on this
// machine it fails: scripts/tools installs it.
func Start(folders ...string) (*Server, error) {
	path, err := exec.LookPath("debuginfod")
	if err != nil {
		return nil, fmt.Errorf("%w; run scripts/tools", err)
	}
	for range 3 { // a port that is free now may be taken when the server binds it
		var s *Server
		if s, err = start(path, folders); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func start(path string, folders []string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d", port)}
	s.cmd = exec.Command(path, append([]string{"-F", "-d", ":memory:", "-p", fmt.Sprint(port)}, folders...)...)
	s.cmd.Env = []string{} // it would pass requests on to DEBUGINFOD_URLS
	s.cmd.Stderr = &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	for range 600 {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("debuginfod ended: %v\n%s", err, s.log.Bytes())
		case <-time.After(50 * time.Millisecond):
		}
		if s.ready() {
			return s, nil
		}
	}
	s.Stop()
	<-ended
	return nil, errors.New("debuginfod did not index its folders in 30 s\n" + s.log.String())
}

// ready reports whether the first scan of the folders is over.
func (s *Server) ready() bool {
	resp, err := http.Get(s.URL + "/metrics")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return false
	}
	for _, idle := range []string{`work_total{role="traverse"} 1`, `busy{role="traverse"} 0`, `work_pending{role="scan"} 0`, `busy{role="scan"} 0`} {
		if !bytes.Contains(b, []byte(idle)) {
			return false
		}
	}
	return true
}

// Stop ends the server.
func (s *Server) Stop() { _ = s.cmd.Process.Kill() }
