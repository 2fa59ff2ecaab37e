//go:build !linux

package file

import "os"

// willRead does nothing on systems that don't take such advice.
func willRead(*os.File, int64, int64) {}
