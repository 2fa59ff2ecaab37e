//go:build !linux

package file

import "os"

// willRead does nothing: not every system takes such advice.
func willRead(*os.File, int64, int64) {}
