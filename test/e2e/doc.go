// Package e2e has only tests. They use a cluster in containers over HTTP, as users do, while parts
// of the cluster are added, stopped, killed, disconnected and restarted.
//
// The containers run the images of "make images". Redis is on one network and MinIO on another;
// controllers and executors are on both, so that an executor can be disconnected from either. All
// tests share one Redis and one MinIO. Each test has its own namespace, bucket, controllers and
// executors, so tests can run at the same time. A test that kills Redis or MinIO starts its own.
//
// Faults always happen during a job, on fast and slow machines: the jobs wait instead of computing
// (testdata/slow_word_count.py), a test watches the API until enough tasks are done, and checks
// afterwards that the job had not ended before the fault. Tests poll for conditions, and never rely
// on a time.
//
// No container outlives the tests, even if they panic or are killed: see guard_test.go.
package e2e
