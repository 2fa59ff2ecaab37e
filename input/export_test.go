package input

import "sync"

// Buffers are those that readers share.
func Buffers() *sync.Pool { return &buffers }
