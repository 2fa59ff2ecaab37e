package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

const (
	askEvery = 25 * time.Millisecond
	patience = 90 * time.Second // for a condition to become true on a busy machine
)

// errNever wraps the error of a condition that can no longer become true.
var errNever = errors.New("it can't come about any more")

// until asks until there is no error, or an error that wraps errNever.
func until(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil || errors.Is(err, errNever) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; at last: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// eventually waits until ask returns no error, and fails the test if it never does.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, ask); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
