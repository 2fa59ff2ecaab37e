// Package testservices starts real Redis and MinIO servers for tests. Nothing but tests
// imports it.
//
// [Redis] and [MinIO] return the server that all tests of one test binary share: it starts
// with the first test that asks. Such tests keep out of each other's way by keys and buckets of
// their own. [NewRedis] and [NewMinIO] start one that belongs to a single test, which may
// kill and restart it; it ends with that test.
//
// The programs are taken from BUCKETMILL_REDIS_SERVER and BUCKETMILL_MINIO_SERVER, else from
// .tools/bin at the top of the repository, else from PATH. A missing program fails the test,
// it never skips it: "make tools" gets them.
//
// No server outlives the test binary, whichever way that ends. Go has no hook at the end of
// a process, and a SIGKILL would not run one, so a shell waits at a pipe whose other end the
// test binary holds: when the kernel closes that end, the shell kills the server and removes
// its folder. Unlike PR_SET_PDEATHSIG this needs no OS thread to be kept alive.
package testservices
