package planner

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/bucketmill/bucketmill/formats"
	"github.com/bucketmill/bucketmill/input"
	"github.com/bucketmill/bucketmill/job"
	"github.com/bucketmill/bucketmill/layout"
	"github.com/bucketmill/bucketmill/objstore"
)

// Tasks are the map tasks that inputs are cut into. There may be a million, so they are made one by
// one.
type Tasks struct {
	All   iter.Seq[input.Task]
	Count int
}

// Cut lists the inputs and cuts them into map tasks. Slots returns how many tasks all executors run
// at a time; Cut calls it only if the inputs are not small.
func Cut(ctx context.Context, open objstore.Opener, area WorkArea, kinds job.Kinds, spec job.Spec, slots func(context.Context) (int, error)) (Tasks, layout.Plan, error) {
	tasks, plan, err := cutInputs(ctx, open, area, kinds, spec, slots)
	if err != nil {
		return Tasks{}, layout.Plan{}, err
	}
	counted := Tasks{All: tasks}
	for range tasks {
		if counted.Count++; counted.Count > job.MaxTasks {
			return Tasks{}, layout.Plan{}, fmt.Errorf("there would be more than %d map tasks, which a job may have: use a larger split size", job.MaxTasks)
		}
	}
	plan.Spread = layout.SpreadFor(counted.Count)
	return counted, plan, nil
}

func cutInputs(ctx context.Context, open objstore.Opener, area WorkArea, kinds job.Kinds, spec job.Spec, slots func(context.Context) (int, error)) (iter.Seq[input.Task], layout.Plan, error) {
	format, err := formats.Inputs.Parse(spec.Format, spec.Compression)
	if err != nil {
		return nil, layout.Plan{}, err
	}
	in, err := findInputs(ctx, open, area, spec.InputURLs())
	if err != nil {
		return nil, layout.Plan{}, err
	}
	if err := checkObjects(ctx, open, spec, in.objects); err != nil {
		return nil, layout.Plan{}, err
	}
	objects := in.objects
	plan := layout.Plan{
		PageSize: PageSize, Pages: rand.Text(),
		Inputs: len(objects), PassedOver: in.passedOver, Outputs: in.outputs, Own: in.own, Empty: len(in.empty),
	}
	for _, o := range objects {
		plan.Bytes += o.Size
	}
	if plan.Empty > 0 {
		plan.EmptyInput = in.empty[0]
	}
	if plan.Bytes == 0 { // one task without input, so that the program runs and there is an output
		return slices.Values([]input.Task{{}}), plan, nil
	}
	opts := input.Options{Format: format}
	if spec.Maps > 0 {
		tasks, err := input.PlanMaps(objects, opts, spec.Maps)
		return tasks, plan, err
	}
	size := int64(spec.SplitSize)
	if size == 0 {
		n := 0
		if plan.Bytes > smallInput {
			if n, err = slots(ctx); err != nil {
				return nil, plan, err
			}
		}
		size = splitSizeFor(plan.Bytes, n, wavesOf(kinds, spec.Kind))
	}
	tasks, err := input.Plan(objects, opts, size)
	return tasks, plan, err
}

// wavesOf returns how many map tasks each slot gets in a job of a kind of programs.
func wavesOf(kinds job.Kinds, name string) int64 {
	if kind, err := kinds.Find(name); err == nil && kind.MaxWaves > 0 {
		return int64(kind.MaxWaves)
	}
	return maxWaves
}

// splitSizeFor is the size of the splits of an input for executors with that many slots. Larger
// splits mean fewer runs in the shuffle, more that a mapper combines, and fewer starts of programs.
// But no slot should be idle because of that, and each should have up to mostWaves tasks.
func splitSizeFor(bytes int64, slots int, mostWaves int64) int64 {
	if slots == 0 {
		slots = usualSlots
	}
	wave := int64(slots)
	waves := min(max(1, bytes/wave/waveBytes), mostWaves)
	least := min(max(minSplit, bytes/fineTasks), maxSplit)
	most := max(maxSplit, int64(maxSplit*math.Sqrt(float64(bytes)/largeInput)))
	return min(max(least, (bytes+wave*waves-1)/(wave*waves)), most)
}

// Reducers is the number of reducers of a job whose inputs have that many bytes.
func Reducers(spec job.Spec, bytes int64) int {
	if spec.Reducers != nil {
		return *spec.Reducers
	}
	return reducersFor(bytes)
}

// reducersFor is the default number of reducers for an input of that many bytes.
func reducersFor(bytes int64) int {
	n := math.Ceil(float64(min(bytes, largeInput)) / partitionBytes)
	if bytes > largeInput {
		n *= math.Sqrt(float64(bytes) / largeInput)
	}
	return max(1, int(n))
}

// PageSize is how many map tasks a page of the plan describes.
const PageSize = 500

const (
	minSplit = 4 << 20  // bytes: below, a task costs more than its work
	maxSplit = 64 << 20 // bytes: above, failures cost more, and little gets faster
	// partitionBytes is the input per reducer that the default aims at. From largeInput on, both
	// splits and partitions grow with the square root of the input. So the number of runs that
	// reducers read, one of each map task for each reducer, grows with the input and no faster:
	// 1 TiB gets 2,048 maps and 2,048 reducers, 100 TiB 20,480 of each.
	partitionBytes = 64 << 20
	largeInput     = 16 << 30
	// smallInput is the largest input that is cut without regard to the number of slots.
	smallInput = 16 << 20
	// maxWaves is how many map tasks there are for each slot, if the input is large enough, so that
	// slower slots do fewer. There is one more for every waveBytes.
	maxWaves  = 4
	waveBytes = 16 << 20
	// fineTasks is how many map tasks an input of 4 to 64 GiB has at most, however many slots there
	// are.
	fineTasks = 1024
	// usualSlots is assumed while there are no executors.
	usualSlots = 4
)
