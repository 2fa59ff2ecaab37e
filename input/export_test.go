package input

import "sync"

// Buffers returns the buffers that readers share.
func Buffers() *sync.Pool { return &buffers }
