package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"meshdiag/lab"
)

// demoFaults are three deaths that look alike from outside and have nothing to do with each other.
var demoFaults = []string{"missing-map-key", "truncated-pool", "recursion-actor"}

// planMessages are the start-up messages of the plan, in order; ports are chosen anew for each run.
var planMessages = []string{"Connecting to PostgreSQL...", "Partitions created (7 days ahead)", "Running in standalone mode",
	"OrgService started", "ProjectService started", "UserService started", "Foundation ready", "WebSocket server starting on :",
	"HTTP server starting on :"}

func demoCommand() *cobra.Command {
	var meshdiag string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Boot the sound program, then show three diagnosed deaths",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			exe, err := filepath.Abs(meshdiag)
			if err != nil {
				return err
			}
			return demo(cmd.Context(), exe)
		},
	}
	cmd.Flags().StringVar(&meshdiag, "meshdiag", "bin/meshdiag", "the meshdiag binary to show")
	return cmd
}

func demo(ctx context.Context, meshdiag string) error {
	fmt.Fprintln(os.Stderr, "Building the stand-in Mesher and starting a private PostgreSQL (minutes at first, seconds later) ...")
	pg, err := lab.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer pg.Stop()
	if err := demoHealthy(ctx, meshdiag, pg); err != nil {
		return err
	}
	for i, id := range demoFaults {
		if err := demoDeath(ctx, meshdiag, pg, i+1, id); err != nil {
			return err
		}
	}
	return nil
}

// demoHealthy boots the sound program under meshdiag, checks its nine messages and asks its two servers.
func demoHealthy(ctx context.Context, meshdiag string, pg *lab.Postgres) error {
	s, err := lab.NewScenario(ctx, lab.Healthy(), lab.Variant{}, pg)
	if err != nil {
		return err
	}
	defer s.Cleanup()
	var status int
	var body string
	drive := s.Drive
	s.Drive = func(ctx context.Context, p *lab.Process) error {
		if err := p.WaitOutput(ctx, "HTTP server listening on"); err != nil {
			return err
		}
		var err error
		if status, body, err = s.Request(ctx, "GET /health"); err != nil {
			return err
		}
		conn, err := s.Message(ctx, `{"type":"ping"}`)
		if err != nil {
			return err
		}
		conn.CloseNow()
		return drive(ctx, p)
	}
	title("The sound program: meshdiag run ./mesher")
	result, err := lab.Run(ctx, s, []string{meshdiag, "run"})
	if err != nil {
		return err
	}
	fmt.Print(result.Stdout)
	fmt.Print(result.Stderr)
	if result.DriveErr != nil {
		return fmt.Errorf("the sound program does not answer: %w", result.DriveErr)
	}
	if missing := outOfOrder(result.Stdout+result.Stderr, planMessages); missing != "" {
		return fmt.Errorf("the sound program did not print %q in its place", missing)
	}
	fmt.Printf("\nNine start-up messages in order, GET /health answered %d %s, WebSocket handshake done.\n", status, body)
	return nil
}

// outOfOrder is the first of the messages that does not follow the one before it; "" when all do.
func outOfOrder(output string, messages []string) string {
	for _, m := range messages {
		_, rest, ok := strings.Cut(output, m)
		if !ok {
			return m
		}
		output = rest
	}
	return ""
}

func demoDeath(ctx context.Context, meshdiag string, pg *lab.Postgres, n int, id string) error {
	fault, err := lab.Find(id)
	if err != nil {
		return err
	}
	s, err := lab.NewScenario(ctx, fault, lab.Variant{Opt: "O2"}, pg)
	if err != nil {
		return err
	}
	defer s.Cleanup()
	title(fmt.Sprintf("Death %d of %d: meshdiag run ./mesher", n, len(demoFaults)))
	result, err := lab.Run(ctx, s, []string{meshdiag, "run"})
	if err != nil {
		return err
	}
	fmt.Print(result.Stdout)
	fmt.Print(result.Stderr)
	fmt.Printf("\nWhat was really done to it: %s\n%s\n", fault.How, s.Label.Truth)
	if result.Exit != 3 {
		return fmt.Errorf("meshdiag ended with status %d instead of 3 (a fault was diagnosed)", result.Exit)
	}
	return nil
}

func title(s string) { fmt.Printf("\n%s\n%s\n\n", s, strings.Repeat("=", len(s))) }
