// Package testservices starts real Redis and MinIO servers for tests. Only tests import it.
//
// [Redis] and [MinIO] return a server that all tests of one test binary share. It starts with the
// first test that asks for it. Tests that share a server use different keys and buckets. [NewRedis]
// and [NewMinIO] start a server for a single test, which may kill and restart it; the server ends
// with the test.
//
// The programs come from BUCKETMILL_REDIS_SERVER and BUCKETMILL_MINIO_SERVER, else from .tools/bin
// at the top of the repository, else from PATH. A missing program fails the test and never skips
// it: "make tools" installs the programs.
//
// No server outlives the test binary, however that ends. Go has no hook at the end of a process,
// and a SIGKILL would not run one. So a shell reads from a pipe whose other end the test binary
// keeps open: when the kernel closes that end, the shell kills the server and removes its folder.
// Unlike PR_SET_PDEATHSIG this does not depend on an OS thread that stays alive.
package testservices
