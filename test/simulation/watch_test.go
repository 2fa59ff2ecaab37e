package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// watch observes every command that Redis executes.
type watch struct {
	winners map[string]string // "JOB/TASK" -> "ATTEMPT EXECUTOR CLAIMED"
	calls   map[string]int    // of scripts: "NAME ANSWER" -> number of calls
	rules   rules
}

// redis is called after each command.
func (w *watch) redis(s *sim, args []string, reply []byte) {
	name, keys, argv, ok := script(args)
	if !ok {
		return
	}
	j := s.jobOf(keys[0])
	if j == nil {
		return
	}
	w.count(name, reply)
	if bytes.Contains(reply, []byte("$2\r\nok\r\n")) {
		w.transition(s, j, name, argv)
	}
	s.follow(j)
}

// count counts a script's answer.
func (w *watch) count(name string, reply []byte) {
	fields := bytes.Split(reply, []byte("\r\n"))
	if len(fields) < 3 || !bytes.HasPrefix(fields[0], []byte("*")) || !bytes.HasPrefix(fields[1], []byte("$")) {
		return
	}
	w.calls[name+" "+string(fields[2])]++
	if name == "commit" && len(fields) > 5 && fields[len(fields)-2][0] == ':' && string(fields[len(fields)-2]) != ":0" {
		w.calls["commit before a rival"]++
	}
}

// transition is called for scripts that changed something.
func (w *watch) transition(s *sim, j *testJob, name string, argv []string) {
	switch name {
	case "submit":
		if j.outcome != nil && s.phase(j) == job.PhasePlan {
			j.outcome, j.lost = nil, true // submitted again, because its user got no answer until the history had expired
		}
	case "start":
		j.total, _ = strconv.Atoi(argv[1]) // as Redis has it
		if j.reducers == 0 {
			j.total, _ = strconv.Atoi(argv[0])
		}
	case "commit":
		task, winner := fmt.Sprintf("%s/%s%s", j.id, argv[1], argv[2]), strings.Join([]string{argv[0], argv[4], argv[5]}, " ")
		if before, ok := w.winners[task]; ok && before != winner {
			s.problem("%s was committed by %s, and again by %s", task, before, winner)
		}
		w.winners[task] = winner
	case "lose":
		if s.redis.server.HGet(jobKey(j)+":done:m", argv[5]) == "" {
			delete(w.winners, fmt.Sprintf("%s/m%s", j.id, argv[5]))
		}
	case "redo":
		for i := 2; i+2 < len(argv); i += 5 {
			if s.redis.server.HGet(jobKey(j)+":done:"+argv[i], argv[i+1]) == "" {
				delete(w.winners, fmt.Sprintf("%s/%s%s", j.id, argv[i], argv[i+1]))
			}
		}
	case "retry":
		side := "r"
		if j.reducers == 0 {
			side = "m"
		}
		for task := range w.winners {
			if strings.HasPrefix(task, string(j.id)+"/"+side) {
				delete(w.winners, task)
			}
		}
	case "finish":
		j.finished = time.Now()
		if s.rivals(j) {
			s.checkOutput(j, s.record(j), s.bad(j)) // another job will overwrite it
		}
	case "forget":
		s.end(j, s.record(j))
	}
}

// end notes how a job has ended, and submits the jobs that wait for its end.
func (s *sim) end(j *testJob, o *outcome) {
	j.outcome, j.ended = o, time.Now()
	for _, other := range s.jobs {
		if other.waits && j == s.jobs[0] && !other.submitted {
			other.submitted = true
			s.after(s.upTo(2*time.Second), "submit", func() { s.submit(other) })
		}
	}
}

// rivals reports whether another job has the same output.
func (s *sim) rivals(j *testJob) bool {
	return slices.ContainsFunc(s.jobs, func(other *testJob) bool { return other != j && other.output == j.output })
}

// forget is called when Redis has lost its data.
func (w *watch) forget(s *sim) {
	clear(w.winners)
	clear(w.rules.highest)
	for _, j := range s.jobs {
		phase := s.phase(j)
		switch {
		case phase == "" && len(j.reached) > 0 && j.outcome == nil:
			s.lose(j)
		case phase == job.PhaseEnded:
			s.end(j, s.record(j))
		case phase != "":
			j.outcome, j.lost = nil, false
			if phase != job.PhaseCleanup && phase != job.PhaseKept {
				j.settling = nil
			}
			j.unpublished = j.unpublished || !j.wrote.IsZero() && phase != job.PhasePublish
		}
		if phase != job.PhaseCleanup && phase != job.PhaseKept && phase != job.PhaseEnded {
			j.undone = j.undone || !j.settled.IsZero()
			if phase != "" || j.outcome == nil { // otherwise it has ended, and its history has expired
				j.settled = time.Time{}
			}
		}
		j.phase = phase
	}
}

// returns is how long it may take, after the faults, to restore a job that only the store knows.
const returns = 40 * time.Second

// lose decides what must happen to a job that Redis has lost before the job ended.
func (s *sim) lose(j *testJob) {
	recorded := s.recorded(j)
	j.unpublished = j.unpublished || !j.wrote.IsZero()
	switch {
	case recorded:
		if s.calm {
			s.expectBack(j)
		}
	case s.durable && j.settling != nil:
		s.forgotten(j)
	default:
		if s.durable && !j.undone && !j.struck["job.json"] { // the record of a job that had its final state is not written again
			s.problem("%s was not settled, and is not on the store", j.id)
		}
		j.lost = true
		s.submit(j)
	}
}

// recorded reports whether the store has what is needed to restore the job.
func (s *sim) recorded(j *testJob) bool {
	_, there := s.store.objects[j.record()]
	return there && !j.struck["job.json"]
}

// forgotten notes that a job with a final state has ended in it, without a history.
func (s *sim) forgotten(j *testJob) {
	j.lost = true
	s.end(j, j.settling)
}

// expectBack checks after a while whether a job was restored.
func (s *sim) expectBack(j *testJob) {
	s.after(returns, "look for "+string(j.id), func() {
		recorded := s.recorded(j)
		switch {
		case j.outcome != nil || s.phase(j) != "":
		case !recorded && j.settling != nil:
			s.forgotten(j) // the controller that cleans up has not noticed the loss yet
		case !recorded && j.struck["job.json"]:
			j.lost = true // permanently: its user submits it again
			s.submit(j)
		default:
			s.problem("%s does not come back", j.id)
		}
	})
}

func (s *sim) jobOf(key string) *testJob {
	i := slices.IndexFunc(s.jobs, func(j *testJob) bool { return key == jobKey(j) })
	if i < 0 {
		return nil
	}
	return s.jobs[i]
}

// follow makes users act when the job reaches the phase that they wait for.
func (s *sim) follow(j *testJob) {
	phase := s.phase(j)
	if phase == "" || j.phase == phase {
		return
	}
	switch before := j.phase; {
	case phase == job.PhaseCleanup && before != job.PhaseKept:
		j.settled, j.settling = time.Now(), s.record(j)
	case phase == job.PhasePublish:
		j.wrote = time.Now()
	case before == job.PhaseKept:
		j.settled = time.Time{}
	}
	j.phase = phase
	if j.reached[phase] {
		return
	}
	j.reached[phase] = true
	if phase == j.cancelAt {
		s.after(s.upTo(3*s.speed), "cancel", func() { s.cancel(j) })
	}
	if phase == job.PhaseKept && j.retry {
		s.after(s.upTo(s.keepFailed), "retry", func() { s.retryJob(j) })
	}
}

// record reads how a job ended.
func (s *sim) record(j *testJob) *outcome {
	get := func(field string) string { return s.redis.server.HGet(jobKey(j), field) }
	o := &outcome{state: job.State(get("state")), error: get("error"), counters: map[string]string{}}
	o.total = j.total
	counters, err := s.redis.server.HKeys(jobKey(j) + ":counters")
	if err != nil {
		return o // none
	}
	for _, name := range counters {
		o.counters[name] = s.redis.server.HGet(jobKey(j)+":counters", name)
	}
	return o
}

// checkJob compares an ended job with what was promised.
func (s *sim) checkJob(j *testJob) {
	bad := s.bad(j)
	switch {
	case j.outcome.state == job.Completed:
		if !s.overwritten(j) {
			s.checkOutput(j, j.outcome, bad)
		}
		return
	case j.lost && strings.Contains(j.outcome.error, "is not empty"):
		return // submitted again, after it had completed the first time
	case !j.finished.IsZero() && j.outcome.state == job.Failed && !s.mayFailAgain(j) && !j.lost:
		bad("it had completed before Redis forgot that: %s", j.outcome.error)
	}
	if j.outcome.state == job.Cancelled && j.cancelAt == "" {
		bad("nobody cancelled it")
	}
	if j.outcome.state == job.Failed && j.program != "broken" && s.harmless() && !s.rivals(j) {
		bad("nothing went wrong, but: %s", j.outcome.error)
	}
	if why := s.wronglyFailed(j); why != "" {
		bad("%s: %s", why, j.outcome.error)
	}
	if s.overwritten(j) || s.back(j) && s.losses() > 1 {
		return // the output is the other job's, or from a time that Redis has lost
	}
	for _, key := range s.store.keys(j.output) {
		o := s.store.objects[key]
		// No process can recognise a visible part as its own when the part's manifest is gone: from
		// the store, or from Redis while the store has lost what is needed to make the part again.
		gone := j.struck["manifest"] || s.back(j) && j.struck["page of a plan"]
		if s.excused(key, o.writer, o.made) || gone && j.reached[job.PhasePublish] {
			continue
		}
		if o.upload != "" || !j.old || bytes.Contains(o.data, []byte(`"job"`)) {
			bad("left in its output: %s", key)
		}
	}
}

// describe returns the present or final state of a job.
func (j *testJob) describe(s *sim) job.State {
	if j.outcome != nil {
		return j.outcome.state
	}
	return s.record(j).state
}

// bad reports a mistake of a job.
func (s *sim) bad(j *testJob) func(format string, args ...any) {
	return func(format string, args ...any) {
		s.problem("%s, a %s: %s", j.id, j.describe(s), fmt.Sprintf(format, args...))
	}
}

// overwritten reports whether another job has, or may have, written to a job's output later.
func (s *sim) overwritten(j *testJob) bool {
	return slices.ContainsFunc(s.jobs, func(other *testJob) bool {
		return other != j && other.output == j.output && (j.finished.IsZero() || other.wrote.After(j.finished)) && !other.wrote.IsZero()
	})
}

// mayFailAgain reports whether a job that had completed, and was sent back by a failover, may fail:
// its controllers had no store to publish to, or to look for its output; another job has written
// there since; or Redis was sent back twice, to uploads from before the last time.
func (s *sim) mayFailAgain(j *testJob) bool {
	return s.losses() > 1 || s.overwritten(j) || strings.Contains(j.outcome.error, objstore.ErrUnavailable.Error()) || strings.Contains(j.outcome.error, objstore.ErrThrottled.Error()) ||
		strings.Contains(j.outcome.error, "context")
}

// back reports whether Redis has lost that the job was published, or was about to be.
func (s *sim) back(j *testJob) bool { return j.undone || j.unpublished || !j.finished.IsZero() }

// wronglyFailed returns why a job must not have failed with its error; "" if it may fail.
func (s *sim) wronglyFailed(j *testJob) string {
	says := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(j.outcome.error, text) })
	}
	switch {
	case j.outcome.state != job.Failed || j.lost, s.back(j) && s.mayFailAgain(j):
		return ""
	case s.store.aborted && says(objstore.ErrNotFound.Error()):
		return "" // its uploads are gone, and no other upload was completed instead
	case j.undone && says("read the plan: "):
		return "" // its clean-up removed them, perhaps after a cancellation that Redis has lost
	case s.rivals(j) && says("is writing to it", "is not empty", "another one took its output"):
		return s.wronglyRefused(j)
	case says(`"class":"job"`) && s.storeWorks():
		return "its controllers had no trouble but with Redis, and gave it up"
	case says(`"class":"job"`) && !says(objstore.ErrUnavailable.Error(), objstore.ErrThrottled.Error(), "context"):
		return "its controllers met no trouble that might last"
	case j.changed != nil && says("changed after the job was planned"), j.struck["page of a plan"] && says("read the plan: "):
		return ""
	case says(`"class":"user"`) && j.program != "broken" && !says(objstore.ErrDenied.Error()):
		return "its program is in order"
	case says(`"class":"segment"`) && s.segmentsLast():
		return "no segment was damaged"
	}
	return ""
}

// wronglyRefused returns why another job must not have kept a job from its output; "" if it may.
func (s *sim) wronglyRefused(j *testJob) string {
	for _, other := range s.jobs {
		if other == j || other.output != j.output || !strings.Contains(j.outcome.error, "job "+string(other.id)+" is writing") {
			continue
		}
		if j.waits && !s.has(failOver, loseEverything) {
			return "the other had ended"
		}
	}
	return ""
}

// checkOutput compares the output of a completed job with the oracle's.
func (s *sim) checkOutput(j *testJob, o *outcome, bad func(string, ...any)) {
	if j.program == "broken" {
		bad("it can't succeed")
		return
	}
	if s.store.late[j.output+layout.SuccessName] {
		return // no store can remove an object on the condition that it has not changed
	}
	var lines []string
	var total int
	want := []string{j.output + layout.SuccessName}
	for i := range o.total {
		key := j.output + layout.PartName(i)
		want = append(want, key)
		part := lineSlice(s.store.objects[key].data)
		if j.reducers > 0 && !slices.IsSorted(part) && j.program != "wordcount" {
			bad("%s is not sorted", key)
		}
		lines = append(lines, part...)
		total += len(s.store.objects[key].data)
	}
	if got := s.store.keys(j.output); !slices.Equal(got, want) {
		bad("its output has %q, not %q", got, want)
	}
	if j.ordered && !slices.IsSorted(lines) {
		bad("its parts are not in order: %q", lines)
	}
	slices.Sort(lines)
	inputs := j.inputs
	if j.changed != nil && !slices.Equal(lines, j.oracle(inputs)) {
		inputs = j.changed // all inputs in their later version: never a mix
	}
	if oracle := j.oracle(inputs); !slices.Equal(lines, oracle) {
		bad("its output is wrong: %q, not %q", lines, oracle)
	}
	var success layout.Success
	if err := json.Unmarshal(s.store.objects[j.output+layout.SuccessName].data, &success); err != nil {
		bad("_SUCCESS: %v", err)
	}
	if success.Job != j.id || len(success.Parts) != o.total || success.Records != int64(len(lines)) || success.Bytes != int64(total) {
		bad("_SUCCESS says %d parts, %d records, %d bytes; it is %d, %d, %d", len(success.Parts), success.Records, success.Bytes, o.total, len(lines), total)
	}
	for i, p := range success.Parts {
		if size := len(s.store.objects[j.output+p.Name].data); p.Name != layout.PartName(i) || p.Bytes != int64(size) {
			bad("_SUCCESS says that %s has %d bytes, it has %d", p.Name, p.Bytes, size)
		}
	}
	for name, n := range map[string]int{"map_input_records": strings.Count(strings.Join(inputs, ""), "\n"), "output_records": len(lines), "output_bytes": total} {
		if o.counters[name] != strconv.Itoa(n) || success.Counters[name] != int64(n) {
			bad("counter %s is %s, in _SUCCESS %d; it must be %d", name, o.counters[name], success.Counters[name], n)
		}
	}
}

func lineSlice(text []byte) []string {
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")[:bytes.Count(text, []byte("\n"))]
}
