// Package e2e has nothing but tests: a cluster in containers, driven over HTTP as its users
// would, while its parts are added, stopped, killed, cut off and brought back.
//
// The containers are of the images that "make images" makes. Redis is on one network and MinIO
// on another, controllers and executors are on both, so that an executor can be cut off from
// either. All tests share one Redis and one MinIO, where each has a namespace, a bucket and
// controllers and executors of its own, and so can run beside others; those that kill Redis or
// MinIO start their own.
//
// Faults happen in mid-job for certain, on machines fast and slow: the jobs wait rather than
// compute (testdata/slow_word_count.py), a test looks on through the API until as many tasks
// are done as it wants, and it checks afterwards that the job had not ended before the fault.
// What has to come about is asked for until it does; no test counts on a time.
//
// No container outlives the tests, also if they panic or are killed: see guard_test.go.
package e2e
