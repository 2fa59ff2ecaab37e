// Package mapred is the API for MapReduce programs in Go.
//
// A program is a main function that calls [Main] with a [Job]:
//
//	func main() { mapred.Main(job()) }
//
//	func job() mapred.Job {
//		return mapred.Job{
//			Mapper:  mapred.MapFunc(words),
//			Columns: mapred.Columns{mapred.Sum},
//		}
//	}
//
//	func words(_ context.Context, line mapred.Record, emit *mapred.Emitter) error {
//		for word := range mapred.Words(line.Value) {
//			emit.EmitInts(word, 1)
//		}
//		return nil
//	}
//
// An executor starts the program once for each attempt at a task, so that a process runs one task
// and ends. The values of a Job belong to this task: they need no locks, and may keep state from
// one call to the next.
//
// The context of every call knows the task: [Param] reads the job's parameters, [Count] adds to a
// counter, [Status] writes to the attempt's log, [TaskOf] returns the rest. It is cancelled when
// the executor is gone.
//
// Package [github.com/bucketmill/bucketmill/mapred/mapredtest] runs jobs in tests.
//
// Both packages need only the standard library.
package mapred
