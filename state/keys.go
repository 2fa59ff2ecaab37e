package state

import (
	"fmt"

	"github.com/bucketmill/bucketmill/job"
)

// Global keys. No script touches two of them, so they need no common hash tag.
func (s *Store) jobsKey() string      { return s.namespace + ":jobs" }      // zset: job -> submit time (ms); the history
func (s *Store) activeKey() string    { return s.namespace + ":active" }    // set: jobs that have not ended
func (s *Store) readyKey() string     { return s.namespace + ":ready" }     // zset: jobs with ready tasks, in serving order
func (s *Store) wakeKey() string      { return s.namespace + ":wake" }      // list: tokens, each wakes one waiting executor
func (s *Store) controlKey() string   { return s.namespace + ":control" }   // list: jobs that want a controller now
func (s *Store) newsKey() string      { return s.namespace + ":news" }      // stream: jobs whose attempts were ended by others
func (s *Store) aliveKey() string     { return s.namespace + ":alive" }     // string: exists as long as this Redis has lost nothing
func (s *Store) executorsKey() string { return s.namespace + ":executors" } // zset: executor -> last heartbeat (ms)
func (s *Store) outputsKey() string   { return s.namespace + ":outputs" }   // hash: URL of an output -> the job that writes there
func (s *Store) reporterKey() string  { return s.namespace + ":reporter" }  // string, TTL: the controller that reports on the whole cluster

// submitterKey is a zset: unended jobs of a submitter -> when they were admitted (ms).
func (s *Store) submitterKey(by string) string { return s.namespace + ":by:" + by }

func (s *Store) executorKey(id job.ExecutorID) string {
	return s.namespace + ":executor:{" + string(id) + "}"
}

func (s *Store) jobKey(id job.ID) string      { return fmt.Sprintf("%s:{%s}", s.namespace, id) }
func (s *Store) holderKey(id job.ID) string   { return s.jobKey(id) + ":minder" }
func (s *Store) readerKey(id job.ID) string   { return s.jobKey(id) + ":reader" }
func (s *Store) samplerKey(id job.ID) string  { return s.jobKey(id) + ":sampler" }
func (s *Store) errorsKey(id job.ID) string   { return s.jobKey(id) + ":errors" }
func (s *Store) eventsKey(id job.ID) string   { return s.jobKey(id) + ":events" }
func (s *Store) runKey(id job.ID) string      { return s.jobKey(id) + ":run" }
func (s *Store) countersKey(id job.ID) string { return s.jobKey(id) + ":counters" }
func (s *Store) attKey(id job.ID) string      { return s.jobKey(id) + ":att" }
func (s *Store) voidKey(id job.ID) string     { return s.jobKey(id) + ":void" }

func (s *Store) doneKey(id job.ID, side job.Side) string {
	return s.jobKey(id) + ":done:" + string(rune(side))
}

// jobKeys returns the KEYS of every script, in the order of lua/common.lua.
func (s *Store) jobKeys(id job.ID) []string {
	j := s.jobKey(id)
	return []string{
		j, s.runKey(id), j + ":retry:m", j + ":retry:r", s.attKey(id), j + ":fails",
		s.doneKey(id, job.Map), s.doneKey(id, job.Reduce), s.countersKey(id), s.errorsKey(id), s.eventsKey(id), s.voidKey(id),
	}
}
