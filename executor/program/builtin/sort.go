package builtin

import (
	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/internal/record"
)

var sortBuiltin = builtin{
	info: program.Info{
		Name:    "sort",
		Summary: "sorts lines by their bytes, as LC_ALL=C sort does; keeps duplicates",
	},
	open: func(*program.Params) (program.Program, error) {
		return &builtinProgram{
			traits:  program.Traits{KeyOnly: true, Identity: true},
			mapper:  newRecordMapper,
			reducer: newCopyReducer,
		}, nil
	},
}

var distinctBuiltin = builtin{
	info: program.Info{
		Name:    "distinct",
		Summary: "the distinct lines, sorted by their bytes, as LC_ALL=C sort -u does",
	},
	open: func(*program.Params) (program.Program, error) {
		p := &builtinProgram{
			traits:  program.Traits{KeyOnly: true},
			mapper:  newRecordMapper,
			reducer: newFirstReducer,
		}
		p.traits.Combine.Columns = record.Columns{} // no values: one record per key
		return p, nil
	},
}

// recordMapper emits every record as a key without value.
type recordMapper struct{ inProcess }

func newRecordMapper(p inProcess, _ program.Attempt) program.Mapper { return &recordMapper{p} }

func (m *recordMapper) Map(b *record.Batch, out *record.Emitter) error {
	for _, record := range b.Records() {
		out.Emit(record, nil)
	}
	return m.done(out)
}
