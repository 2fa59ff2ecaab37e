package objstore

import "fmt"

// Invalidf returns an ErrInvalid whose text is only the given one. It is for what is refused before
// anything is sent, where "store refuses the request" would be wrong. It formats like [fmt.Errorf].
func Invalidf(format string, args ...any) error {
	return invalid{fmt.Errorf(format, args...)}
}

type invalid struct{ error }

func (e invalid) Is(target error) bool { return target == ErrInvalid }

func (e invalid) Unwrap() error { return e.error }
