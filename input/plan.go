package input

import (
	"fmt"
	"iter"
)

const (
	// DefaultTarget is the size of a map task at which Plan aims by default, in bytes.
	DefaultTarget = 64 << 20

	// MaxPieces is how many splits a task has at most, so that its description stays small.
	MaxPieces = 256
)

// Plan makes map tasks of about target bytes; 0 means DefaultTarget. It cuts splittable objects at
// multiples of target, except that a rest of up to a tenth of target stays with the piece before
// it. It puts neighbouring pieces into one task as long as they fit into target, up to MaxPieces.
// It keeps the order of the objects; empty objects make no split.
//
// The tasks are made one by one, when they are asked for, and the same each time: a million of them
// need not be in memory. Plan fails if the size of an object shows that it can't be read, such as a
// size that is not a multiple of the record length.
func Plan(objects []Object, opts Options, target int64) (iter.Seq[Task], error) {
	if target == 0 {
		target = DefaultTarget
	}
	if target < 0 {
		return nil, fmt.Errorf("map tasks of %d bytes: want at least 1", target)
	}
	opts, _, err := check(objects, opts)
	if err != nil {
		return nil, err
	}
	return func(yield func(Task) bool) {
		p := packer{yield: yield}
		for _, o := range objects {
			from := int64(0)
			if o.Size > target && opts.Format.Splittable(o.URL) {
				for o.Size-from > target && o.Size-from-target > target/10 && !p.done {
					p.pack(o, from, from+target, target)
					from += target
				}
			}
			p.pack(o, from, o.Size, target)
			if p.done {
				return
			}
		}
		p.close()
	}, nil
}

// PlanMaps makes the wanted number of map tasks, or about as many, of sizes as equal as possible.
// It lays all objects end to end and cuts at equal distances. A cut inside an object that can't be
// split moves to that object's nearer end, and so does a cut within a twentieth of a task's size of
// an object's end. There are fewer tasks than wanted if cuts coincide, and more only if a task
// would have more than MaxPieces splits. It makes them, and fails, like Plan.
func PlanMaps(objects []Object, opts Options, maps int) (iter.Seq[Task], error) {
	if maps < 1 {
		return nil, fmt.Errorf("%d map tasks: want at least 1", maps)
	}
	opts, total, err := check(objects, opts)
	if err != nil {
		return nil, err
	}
	return func(yield func(Task) bool) {
		var (
			p     = packer{yield: yield}
			n     = int64(maps)
			start int64      // of the object, among the bytes of all objects
			cut   = int64(1) // the next cut's number, up to n-1
		)
		for _, o := range objects {
			snap := total / n / 20
			if !opts.Format.Splittable(o.URL) {
				snap = o.Size
			}
			from := int64(0)
			for ; cut < n && !p.done; cut++ {
				// cut*total/n without overflow
				at := total/n*cut + total%n*cut/n - start
				if at >= o.Size {
					break
				}
				at = snapped(at, o.Size, snap)
				p.add(o, from, at)
				p.close()
				from = max(from, at)
			}
			p.add(o, from, o.Size)
			if p.done {
				return
			}
			start += o.Size
		}
		p.close()
	}, nil
}

// check returns opts with its defaults and the total size of the objects. It fails if the size of
// one shows that it can't be read.
func check(objects []Object, opts Options) (_ Options, total int64, err error) {
	if opts, err = opts.withDefaults(); err != nil {
		return opts, 0, err
	}
	for _, o := range objects {
		if err := opts.Format.Check(o.URL, o.Size, opts.MaxRecord); err != nil {
			return opts, 0, err
		}
		total += o.Size
	}
	return opts, total, nil
}

// snapped moves a cut at byte at of size bytes to the nearer end if that end is at most distance
// away.
func snapped(at, size, distance int64) int64 {
	switch {
	case at <= size-at && at <= distance:
		return 0
	case at > size-at && size-at <= distance:
		return size
	}
	return at
}

// packer puts pieces of objects into tasks.
type packer struct {
	yield func(Task) bool
	task  Task  // the open one; nil: none
	bytes int64 // of it
	done  bool  // the consumer wants no more tasks
}

// add puts the bytes of o between from and to, if there are any, into the open task.
func (p *packer) add(o Object, from, to int64) {
	if from >= to {
		return
	}
	if len(p.task) == MaxPieces {
		p.close()
	}
	p.task = append(p.task, Split{Input: o.URL, Size: o.Size, Offset: from, Length: to - from, ETag: o.ETag})
	p.bytes += to - from
}

// pack is add, into a new task if the open one would become larger than target.
func (p *packer) pack(o Object, from, to, target int64) {
	if p.bytes > target-(to-from) {
		p.close()
	}
	p.add(o, from, to)
}

// close hands the open task over, if there is one.
func (p *packer) close() {
	if len(p.task) > 0 && !p.done {
		p.done = !p.yield(p.task)
	}
	p.task, p.bytes = nil, 0
}
