package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketmill/bucketmill/job"
)

// rules compare each execution of a script with the protocol (state/PROTOCOL.md), so that an
// illegal transition is found even if the run would end well.
type rules struct {
	highest map[string]int  // "JOB/TASK" -> the highest attempt number since the last data loss
	epochs  map[string]bool // "JOB EPOCH" of all epochs so far
}

func newRules() rules { return rules{highest: map[string]int{}, epochs: map[string]bool{}} }

// before is the state before a script.
type before struct {
	phase  job.Phase
	epoch  string
	stage  string
	holds  bool   // the attempt is running, with that executor and claim
	won    bool   // the attempt has committed
	failed bool   // the job has failed
	leases []bool // of a renewal: whether each lease existed and belonged to the claim
}

// legal has the phases in which a script may answer ok; scripts that it lacks may answer ok in any
// phase.
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

// stageArgument is the index of the argument with the stage of a decision. Users may stop jobs in
// any stage.
var stageArgument = map[string]int{"start": 3, "stop": 2, "finish": 0, "redo": 0, "keep": 1, "discard": 0, "retry": 0, "forget": 1}

// look notes the state before a script.
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

// judge compares a script's answer with the state before it.
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
	case name == "commit" && b.won && !done && len(answer) > 0: // an empty answer means that the script was not loaded
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

// judgeClaim checks the attempt numbers of claims.
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

// judgeTasks checks that each task of a running job can be found: it is committed, running,
// waiting, or not claimed yet. After a sweep it also checks that all running attempts have leases.
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

// fields returns the fields of a hash, if the hash exists.
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

// values returns the strings and numbers of a reply that is a flat list.
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
