package streaming

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/bucketmill/bucketmill/executor/program"
	"github.com/bucketmill/bucketmill/executor/program/programtest"
	"github.com/bucketmill/bucketmill/internal/record"
)

// BenchmarkStreaming passes 16 MiB of short lines through commands: into a command that prints
// nothing, through cat, whose lines become pairs, through cat as a combiner of sorted pairs, and
// through cat as a reducer. Allocations are those of a whole attempt.
func BenchmarkStreaming(b *testing.B) {
	var s strings.Builder
	for i := 0; s.Len() < 16<<20; i++ {
		fmt.Fprintf(&s, "word%d\t%d\n", i%5000, i)
	}
	for name, commands := range map[string]program.Commands{
		"into": {Mapper: "sh -c 'cat > /dev/null'"}, "through": {Mapper: "cat"}, "combine": {Mapper: "cat", Combiner: "cat"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			programtest.BenchmarkMapper(b, openCommands(b, commands), s.String())
		})
	}
	b.Run("reduce", func(b *testing.B) {
		var pairs [][]byte
		out := record.NewEmitter(64<<10, func(block []byte) ([]byte, error) {
			pairs = append(pairs, block)
			return nil, nil
		})
		format := pairFormat{separator: []byte("\t"), fields: 1}
		format.emit([]byte(s.String()), out)
		if err := out.Flush(); err != nil {
			b.Fatal(err)
		}
		p := openCommands(b, program.Commands{Mapper: "cat", Reducer: "cat"})
		b.SetBytes(int64(s.Len()))
		b.ReportAllocs()
		for b.Loop() {
			r, err := p.NewReducer(b.Context(), programtest.Attempt(b))
			if err != nil {
				b.Fatal(err)
			}
			rest := pairs
			if err := r.Reduce(func() ([]byte, error) {
				if len(rest) == 0 {
					return nil, io.EOF
				}
				block := rest[0]
				rest = rest[1:]
				return block, nil
			}, programtest.Discard()); err != nil {
				b.Fatal(err)
			}
			r.Kill()
		}
	})
}
