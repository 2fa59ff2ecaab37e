package job

import "errors"

// ErrOutputNotFree says that a job can't write to its output: another job does, or something is
// there.
var ErrOutputNotFree = errors.New("the output is not free")
