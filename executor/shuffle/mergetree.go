package shuffle

import (
	"io"

	"github.com/bucketmill/bucketmill/executor/shuffle/segfile"
)

// mergeBuffers is the memory that successive merges reuse.
type mergeBuffers struct {
	readers []*segfile.Reader
	block   []byte
}

// open starts a merge of sources, with ranged reads of chunk bytes, into blocks of about size
// bytes. The previous merge must be closed.
func (b *mergeBuffers) open(f *segfile.Fetcher, sources []segfile.Source, chunk int64, size int, sorted bool) *mergeTree {
	for len(b.readers) < len(sources) {
		b.readers = append(b.readers, &segfile.Reader{})
	}
	clear(b.readers[len(sources):])
	b.readers = b.readers[:len(sources)]
	t := &mergeTree{
		fetcher: f, buffers: b, tree: newLoserTree(len(sources), sorted), size: size, live: len(sources),
	}
	for i, r := range b.readers {
		r.Open(sources[i], f, chunk, sorted)
		t.tree.cursors[i].reader = r
	}
	return t
}

// mergeTree merges sources that fit into memory together.
type mergeTree struct {
	fetcher *segfile.Fetcher
	buffers *mergeBuffers
	tree    *loserTree
	live    int // sources that have records left
	begun   bool
	size    int // of a block, in bytes
}

// begin moves every cursor to its first record.
func (t *mergeTree) begin() error {
	t.begun = true
	if len(t.tree.cursors) == 1 {
		return nil // next passes its blocks on
	}
	for i := range t.tree.cursors {
		if err := t.advance(int32(i)); err != nil {
			return err
		}
	}
	t.tree.play()
	return nil
}

func (t *mergeTree) advance(i int32) error {
	err := t.tree.advance(i)
	if err == io.EOF {
		t.tree.end(i)
		t.live--
		return nil
	}
	return err
}

func (t *mergeTree) Next() ([]byte, int, error) {
	if !t.begun {
		if err := t.begin(); err != nil {
			return nil, 0, err
		}
	}
	if len(t.tree.cursors) == 1 {
		return t.tree.cursors[0].reader.Next()
	}
	out := t.buffers.block[:0]
	n := 0
	for t.live > 0 {
		winner := t.tree.nodes[0]
		record := t.tree.cursors[winner].record
		if n > 0 && len(out)+len(record) > t.size {
			break
		}
		out = append(out, record...)
		n++
		if err := t.advance(winner); err != nil {
			return nil, 0, err
		}
		t.tree.replay(winner)
	}
	t.buffers.block = out
	if n == 0 {
		return nil, 0, io.EOF
	}
	return out, n, nil
}

// close ends all reads and waits for them.
func (t *mergeTree) close() { t.fetcher.Close() }
