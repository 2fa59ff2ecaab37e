package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job"
)

// rules hold each script to the protocol (state/PROTOCOL.md) as it is executed, so that a
// transition that must not be is found also where a run would end well in spite of it.
type rules struct {
	highest map[string]int  // "JOB/TASK" -> the highest attempt number that was given out, since Redis forgot at last
	epochs  map[string]bool // "JOB EPOCH": what was an epoch, ever
}

func newRules() rules { return rules{highest: map[string]int{}, epochs: map[string]bool{}} }

// before is what a script may rely on, as it was before it.
type before struct {
	phase  job.Phase
	epoch  string
	stage  string
	holds  bool   // the attempt runs, by that executor and claim
	won    bool   // it has committed before
	failed bool   // the job has failed
	leases []bool // of a renewal: whether each lease was there, and its attempt that claim's
}

// legal are the phases in which a script may say ok; any for others.
var legal = map[string][]job.Phase{
	"start":   {job.PhasePlan},
	"finish":  {job.PhasePublish, job.PhasePlan, job.PhaseCleanup}, // see transition
	"forget":  {job.PhaseCleanup},
	"keep":    {job.PhaseCleanup},
	"retry":   {job.PhaseKept},
	"discard": {job.PhaseKept},
	"stop":    {job.PhasePlan, job.PhaseMap, job.PhaseReduce, job.PhasePublish},
	"fail":    {job.PhaseMap, job.PhaseReduce},
	"lose":    {job.PhaseReduce, job.PhaseMap},
	"redo":    {job.PhasePublish},
}

// stageArgument is which argument of a decision names the stage that it is about. Users stop jobs in any.
var stageArgument = map[string]int{"start": 3, "stop": 2, "finish": 0, "redo": 0, "keep": 1, "discard": 0, "retry": 0, "forget": 1}

// look notes what is, before a script is executed.
func (s *sim) look(args []string) (b before) {
	name, keys, argv, ok := script(args)
	if !ok || s.jobOf(keys[0]) == nil {
		return b
	}
	get := func(field string) string { return s.redis.server.HGet(keys[0], field) }
	b.phase, b.epoch, b.stage, b.failed = job.Phase(get("phase")), get("epoch"), get("stage"), get("state") == string(job.Failed)
	held := func(attempt, executor, claimed string) bool {
		return strings.HasPrefix(s.redis.server.HGet(keys[1], attempt), executor+" "+claimed+" ")
	}
	switch name {
	case "commit":
		b.holds = held(argv[0], argv[4], argv[5])
		b.won = strings.HasPrefix(s.redis.server.HGet(keys[0]+":done:"+argv[1], argv[2]), strings.Join(argv[3:6], " ")+" ")
	case "fail":
		b.holds = held(argv[0], argv[4], argv[5])
	case "lose":
		b.holds = held(argv[0], argv[3], argv[4])
	case "renew":
		for i := 2; i < len(argv); i += 4 {
			b.leases = append(b.leases, held(argv[i], argv[0], argv[i+1]) && s.redis.server.Exists(keys[0]+":lease:"+argv[i]))
		}
	}
	return b
}

// judge holds a script that was executed to what was before.
func (s *sim) judge(b before, args []string, reply []byte) {
	name, keys, argv, ok := script(args)
	if !ok || s.jobOf(keys[0]) == nil {
		return
	}
	j, answer := s.jobOf(keys[0]), values(reply)
	bad := func(format string, args ...any) {
		s.problem("%s, %s in phase %q: %s", j.id, name, b.phase, fmt.Sprintf(format, args...))
	}
	if name == "renew" {
		for i, renewed := range answer {
			if renewed == "1" && i < len(b.leases) && !b.leases[i] {
				bad("a lease was renewed that was gone")
			}
		}
	}
	done := len(answer) > 0 && answer[0] == "ok"
	if phases, known := legal[name]; done && known && !slices.Contains(phases, b.phase) {
		bad("it is illegal")
	}
	switch {
	case done && name == "commit" && !b.holds && !b.won:
		bad("committed by a claim that does not run: %q", argv[:6])
	case name == "commit" && b.won && !done && len(answer) > 0: // not: no such script
		bad("a commit that was repeated is refused: %q", argv[:6])
	case done && (name == "fail" || name == "lose") && !b.holds:
		bad("said of a claim that does not run: %q", argv[:6])
	case done && name == "finish" && (b.phase == job.PhasePlan || b.phase == job.PhaseCleanup && b.failed) && len(argv) == 1:
		bad("nothing was found, and nothing published")
	case done && name == "claim":
		s.judgeClaim(j, answer, bad)
	}
	if i, decides := stageArgument[name]; done && decides && argv[i] != b.stage && (name != "stop" || argv[i] != "0") {
		bad("in stage %s, by what was so in stage %s", b.stage, argv[i])
	}
	if epoch := s.redis.server.HGet(keys[0], "epoch"); epoch != b.epoch && b.epoch != "" {
		if s.watch.rules.epochs[string(j.id)+" "+epoch] {
			bad("epoch %s comes again", epoch)
		}
		s.watch.rules.epochs[string(j.id)+" "+epoch] = true
	} else if b.phase == job.PhaseMap && s.phase(j) == job.PhaseReduce {
		bad("the epoch stays %s", epoch)
	}
	if len(answer) > 0 {
		s.judgeTasks(j, name, bad)
	}
}

// judgeClaim looks at the numbers of attempts that were claimed.
func (s *sim) judgeClaim(j *testJob, answer []string, bad func(string, ...any)) {
	for i := 6; i+1 < len(answer); i += 2 {
		task := string(j.id) + "/" + answer[1] + answer[i]
		number, err := strconv.Atoi(answer[i+1])
		if highest := s.watch.rules.highest[task]; err != nil || number <= highest {
			bad("attempt %s of %s after %d", answer[i+1], task, highest)
		}
		s.watch.rules.highest[task] = number
	}
}

// judgeTasks looks whether each task of a job that runs is where somebody finds it: committed, running,
// waiting, or not claimed yet; and after a sweep, whether all that run have leases.
func (s *sim) judgeTasks(j *testJob, name string, bad func(string, ...any)) {
	side, next, total, count := "m", "mapnext", "maps", "mapdone"
	switch s.phase(j) {
	case job.PhaseMap:
	case job.PhaseReduce:
		side, next, total, count = "r", "rednext", "reduces", "reddone"
	default:
		return
	}
	key, number := jobKey(j), func(field string) int {
		n, err := strconv.Atoi(s.redis.server.HGet(jobKey(j), field))
		if err != nil {
			bad("%s: %v", field, err)
		}
		return n
	}
	found, committed := map[string]bool{}, s.fields(key+":done:"+side)
	if n := number(count); n != len(committed) || n > number(total) {
		bad("%d tasks of %d are committed, it says %d", len(committed), number(total), n)
	}
	for _, index := range committed {
		found[index] = true
	}
	for _, attempt := range s.fields(key + ":run") {
		index, _, _ := strings.Cut(strings.TrimPrefix(attempt, side), ".")
		if strings.HasPrefix(attempt, side) {
			found[index] = true
		}
		if name == "sweep" && !s.redis.server.Exists(key+":lease:"+attempt) {
			bad("%s runs on without a lease", attempt)
		}
		if stall := number("stall"); name == "sweep" && stall > 0 {
			fields := strings.Fields(s.redis.server.HGet(key+":run", attempt))
			moved, err := strconv.ParseInt(fields[len(fields)-1], 10, 64)
			if now := s.redis.passed.Add(s.redis.skew).UnixMilli(); err != nil || now > moved+int64(stall) {
				bad("%s runs on without progress", attempt)
			}
		}
	}
	if s.redis.server.Exists(key + ":retry:" + side) {
		waiting, err := s.redis.server.SortedSet(key + ":retry:" + side)
		if err != nil {
			bad("%v", err)
		}
		for index := range waiting {
			if slices.Contains(committed, index) {
				bad("%s%s waits though it is committed", side, index)
			}
			found[index] = true
		}
	}
	for i := range number(next) {
		if !found[strconv.Itoa(i)] {
			bad("nobody does %s%d: %v", side, i, slices.Sorted(maps.Keys(found)))
		}
	}
}

// fields are those of a hash, if it is there.
func (s *sim) fields(key string) []string {
	if !s.redis.server.Exists(key) {
		return nil
	}
	fields, err := s.redis.server.HKeys(key)
	if err != nil {
		s.problem("%s: %v", key, err)
	}
	return fields
}

// values are the strings and numbers of a reply that is a flat list.
func values(reply []byte) (all []string) {
	for i, line := range strings.Split(strings.TrimSuffix(string(reply), "\r\n"), "\r\n") {
		switch {
		case i == 0 && !strings.HasPrefix(line, "*"):
			return nil
		case i == 0, strings.HasPrefix(line, "$"):
		default:
			all = append(all, strings.TrimPrefix(line, ":"))
		}
	}
	return all
}
