package objstore

import "fmt"

// Invalidf makes an error that is ErrInvalid, in words of its own: for what is refused here, before
// anything is sent to a store. It formats like [fmt.Errorf], and %w wraps further errors.
func Invalidf(format string, args ...any) error {
	return invalid{fmt.Errorf(format, args...)}
}

type invalid struct{ error }

func (e invalid) Is(target error) bool { return target == ErrInvalid }

func (e invalid) Unwrap() error { return e.error }
