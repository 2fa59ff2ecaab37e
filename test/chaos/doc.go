// Package chaos has only tests. They inject faults into a cluster of real processes while jobs run
// on it: "make chaos DURATION=5m SEED=7", and "make paper".
//
// TestChaos starts a Redis, a MinIO, two controllers and several executors with short leases. Each
// process reaches Redis and MinIO through its own proxies. For the given time the test submits jobs
// of all kinds and, at the same time, kills, pauses and disconnects processes, slows networks down,
// fills a disk and corrupts bytes (faults_test.go). It compares the end of every job and every byte
// of its output with the result of plain Go on the same input (oracle_test.go). After the faults
// nothing may be left: no process, key, object, upload or file (leaks_test.go). The seed determines
// the jobs, the faults and their times, but not how processes interleave: a seed that found a
// mistake finds it often, not always.
//
// Bytes are corrupted only if they have a checksum: in the segments that reducers read, in transit
// and at rest, and in uploads, for which the drivers send a CRC-32C. Nothing could notice a damaged
// input over plain HTTP, or a damaged reply of Redis.
//
// TestPaper repeats the experiment of section 5.3 of the MapReduce paper at our size: a sort
// without faults, with one slow executor and no backup attempts, with backup attempts, and with
// executors that are killed midway.
package chaos
