package executor

import "github.com/bucketmill/bucketmill/executor/program"

// mapProgress computes how much of a map task is done: what the mapper has mapped, if the mapper
// reports it, or else what the mapper was handed. It belongs to the goroutine that hands batches to
// the mapper.
type mapProgress struct {
	attempt *attempt
	marks   []progressMark // of batches that are not mapped yet, in order
	before  progressMark   // of the last batch that is mapped
	mapped  int64          // bytes
}

// progressMark says how much of the task is done when that many bytes are mapped.
type progressMark struct {
	bytes, thousandths int64
}

// handed notes that the mapper was handed a batch. When the batch is mapped, that many thousandths
// of the task are done.
func (p *mapProgress) handed(m program.Mapper, thousandths int64) {
	telling, ok := m.(program.Reporting)
	if !ok {
		p.attempt.thousandths.Store(thousandths)
		return
	}
	p.marks = append(p.marks, progressMark{telling.Handed(), thousandths})
	p.store()
}

// took notes how many bytes are mapped, perhaps some of a batch that handed has not noted yet.
func (p *mapProgress) took(bytes int64) {
	p.mapped = max(p.mapped, bytes)
	p.store()
}

// store computes the attempt's thousandths: within a batch they grow with its bytes.
func (p *mapProgress) store() {
	for len(p.marks) > 0 && p.marks[0].bytes <= p.mapped {
		p.before, p.marks = p.marks[0], p.marks[1:]
	}
	at := p.before.thousandths
	if len(p.marks) > 0 {
		next := p.marks[0]
		at += (next.thousandths - at) * (p.mapped - p.before.bytes) / (next.bytes - p.before.bytes)
	}
	p.attempt.thousandths.Store(at)
}
