// Package sampling finds the bounds of a job of total order: the keys at which its partitions
// begin.
//
// All map tasks of a job must have the same bounds. The bounds are an object on the work store; its
// name, a hash of its content, is in Redis. An attempt that finds no name there takes a lock,
// samples the input ([Sampler]), stores the bounds, and sets the name; other attempts wait
// ([Finder]). If the holder of the lock dies, the lock expires. If two attempts sample, the name
// that was set first counts, and the same input gives the same bounds in any case. So bounds that
// the store has lost are made again: they are the same if they have the same name.
package sampling
