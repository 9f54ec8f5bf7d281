package diagnose

import (
	"context"
	"errors"

	"meshdiag/report"
)

func run(context.Context, RunOptions) (*report.Report, error) { return nil, errors.New("not wired") }
