// Package objstoretest tests drivers against the contract of package objstore. It also has a
// transport that makes a store misbehave on demand. Only tests import it.
package objstoretest

import (
	"crypto/rand"
	"testing"

	"github.com/bucketmill/bucketmill/objstore"
)

// Run tests a driver against every sentence of [objstore.Bucket]. Each call of open returns a new
// instance of the same bucket, like that of another process. The bucket need not be empty.
func Run(t *testing.T, open func(t *testing.T) objstore.Bucket) {
	s := &suite{open: open}
	runAll(t, s.tests())
}

type test struct {
	name string
	run  func(*testing.T)
}

// runAll runs tests, and checks after each that the driver has left no goroutine.
func runAll(t *testing.T, tests []test) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.run(t)
			checkNoGoroutines(t)
		})
	}
}

func (s *suite) tests() []test {
	return []test{
		{"URL", s.url},
		{"Ranges", s.ranges},
		{"RangesOfEmptyObject", s.rangesOfEmpty},
		{"ConcurrentReaders", s.concurrentReaders},
		{"Stat", s.stat},
		{"Versions", s.versions},
		{"PutReplaces", s.putReplaces},
		{"PutIfAbsent", s.putIfAbsent},
		{"PutIfAbsentRace", s.putIfAbsentRace},
		{"OddNames", s.oddNames},
		{"NotFound", s.notFound},
		{"Invalid", s.invalid},
		{"Commit", s.commit},
		{"CommitLarge", s.commitLarge},
		{"SealLarge", s.sealLarge},
		{"SealIsInvisible", s.sealIsInvisible},
		{"SealEmpty", s.sealEmpty},
		{"WriterEnds", s.writerEnds},
		{"WriterAbort", s.writerAbort},
		{"CompleteElsewhere", s.completeElsewhere},
		{"CompleteReplaces", s.completeReplaces},
		{"CompleteTwice", s.completeTwice},
		{"CompleteConcurrently", s.completeConcurrently},
		{"CompleteTooLate", s.completeTooLate},
		{"CompleteAborted", s.completeAborted},
		{"Made", s.made},
		{"AbortElsewhere", s.abortElsewhere},
		{"AbortAfterComplete", s.abortAfterComplete},
		{"Uploads", s.uploads},
		{"UploadsOfKeyAndFolder", s.uploadsOfKeyAndFolder},
		{"Delete", s.delete},
		{"ListManyDeleteMany", s.listManyDeleteMany},
		{"ListOrder", s.listOrder},
		{"ListPrefix", s.listPrefix},
		{"CancelledContext", s.cancelled},
		{"CancelledReader", s.cancelledReader},
		{"CancelledWriter", s.cancelledWriter},
		{"Probe", s.probe},
	}
}

type suite struct {
	open func(t *testing.T) objstore.Bucket
}

// bucket opens an instance, and returns a new prefix for the test's keys.
func (s *suite) bucket(t *testing.T) (b objstore.Bucket, prefix string) {
	t.Helper()
	return s.open(t), "suite/" + rand.Text() + "/"
}
