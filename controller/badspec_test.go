package controller

import (
	"testing"

	"github.com/bucketmill/bucketmill/job"
)

// badSpec can't be read by this version, like perhaps a spec of a newer version.
const badSpec = `{"program":"sort","from the future":1}`

func (l lab) endsFailed(id job.ID) {
	l.t.Helper()
	for range 5 {
		l.must(l.round(l.t.Context()))
		l.working.Wait()
	}
	j, err := l.cfg.Store.Job(l.t.Context(), id)
	l.must(err)
	if j.Phase != job.PhaseEnded || j.State != job.Failed {
		l.t.Errorf("%s is %s, in phase %s", id, j.State, j.Phase)
	}
}

func TestJobWithABadSpecEnds(t *testing.T) {
	l := newLab(t, nil)
	_, err := l.cfg.Store.Submit(t.Context(), "j", "j", 0, []byte(badSpec))
	l.must(err)
	l.endsFailed("j")
}

// A record that can't be used fails only its own job: the others are restored.
func TestBadRecordStopsNobodyElse(t *testing.T) {
	l := newLab(t, func(cfg *Config) { cfg.Durable = true })
	for id, spec := range map[job.ID]string{
		"a-spec": badSpec, "b-output": `{"program":"sort","input":["x"],"output":"gopher://x"}`, "c-plan": badSpec,
	} {
		_, err := l.writeRecord(t.Context(), id, jobRecord{Namespace: l.cfg.Store.Namespace(), Spec: []byte(spec)})
		l.must(err)
		l.must(l.writePlan(t.Context(), id, planRecord{Maps: 1}))
	}
	_, err := l.work.Put(t.Context(), l.records("c-plan").Planned(), []byte("no JSON"))
	l.must(err)
	_, err = l.work.Put(t.Context(), l.records("0-record").Record(), []byte("no JSON"))
	l.must(err)
	l.must(l.restore(t.Context()))
	for _, id := range []job.ID{"a-spec", "b-output", "c-plan"} {
		l.endsFailed(id)
	}
}
