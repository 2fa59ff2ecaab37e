// Package chaos has nothing but tests, which break things under a cluster of real processes
// while jobs run on it: "make chaos DURATION=5m SEED=7", and "make paper".
//
// TestChaos starts a Redis, a MinIO, two controllers and several executors with short leases.
// Each of the latter reaches either service by a proxy of its own. For the given time it submits
// jobs of all kinds and, at the same time, kills, pauses, cuts off, slows down, fills and
// corrupts (faults_test.go). Every job's end and every byte of its output is compared with what
// plain Go makes of the same input (oracle_test.go). When the faults are over nothing may be
// left: no process, key, object, upload or file (leaks_test.go). What is broken, when, and what
// the jobs are all follow from the seed; how processes interleave does not, so a seed that found
// something finds it often rather than always.
//
// Bytes are corrupted only where a checksum goes with them: in the segments that reducers read, on
// their way and at rest, and in what is uploaded, since the drivers send a CRC-32C along.
// Inputs that arrive damaged over plain HTTP, or a damaged Redis reply, nothing could notice.
//
// TestPaper repeats the experiment of the MapReduce paper's section 5.3 at our size: a sort as it
// is, with one slow executor and no backup attempts, with them, and with executors killed midway.
package chaos
