package sample

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
)

// A Piece is some records of one file, in order.
type Piece struct {
	File int    // from 0, never decreasing
	Data []byte // whole records; valid until the next piece
}

// Pieces yields the first records of a stream, as many as fit into size bytes, for a number of
// files. A file gets the records that begin in its share of these bytes, so the files in sequence
// are the same stream whatever their number. A file may get no piece. Pieces and size do not
// include headers.
//
// Several blocks are made ahead, on all processors. The only error is that of a context that ends.
func Pieces(ctx context.Context, source Source, size int64, files int) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		if size < 0 || files < 1 {
			yield(Piece{}, fmt.Errorf("%d bytes in %d files: the size must not be negative, and there must be at least one file", size, files))
			return
		}
		cut := cutter{size: size, files: int64(files)}
		for block := range blocks(source) {
			if err := ctx.Err(); err != nil {
				yield(Piece{}, context.Cause(ctx))
				return
			}
			if !cut.block(block, yield) {
				return
			}
		}
	}
}

// blocks yields a source's blocks in order, while it makes the next ones. A block is valid until
// the next one.
func blocks(source Source) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		ahead := make([]chan []byte, runtime.GOMAXPROCS(0)+1)
		var making sync.WaitGroup
		defer making.Wait()
		start := func(n uint64, buffer []byte) {
			made := ahead[n%uint64(len(ahead))]
			making.Go(func() { made <- source.AppendBlock(buffer, n) })
		}
		for n := range ahead {
			ahead[n] = make(chan []byte, 1)
			start(uint64(n), nil)
		}
		for n := uint64(0); ; n++ {
			block := <-ahead[n%uint64(len(ahead))]
			if !yield(block) {
				return
			}
			start(n+uint64(len(ahead)), block[:0])
		}
	}
}

// A cutter divides a stream among files. See [Pieces].
type cutter struct {
	size   int64 // bytes of all records
	files  int64
	file   int64 // the current file
	offset int64 // of the next block in the stream
}

// block yields the pieces of the next block. It returns false after the last piece, or if yield
// does.
func (c *cutter) block(block []byte, yield func(Piece, error) bool) bool {
	last := c.offset+int64(len(block)) > c.size
	if last {
		block = block[:bytes.LastIndexByte(block[:c.size-c.offset], '\n')+1]
	}
	for len(block) > 0 {
		n := len(block)
		if left := c.end() - c.offset; left < int64(n) {
			n = recordStart(block, int(left))
		}
		if n > 0 && !yield(Piece{File: int(c.file), Data: block[:n]}, nil) {
			return false
		}
		c.offset += int64(n)
		block = block[n:]
		if len(block) > 0 {
			c.file++
		}
	}
	return !last
}

// end returns the offset in the stream at which the share of the current file ends.
func (c *cutter) end() int64 {
	return c.size/c.files*(c.file+1) + min(c.file+1, c.size%c.files)
}

// recordStart returns the first start of a record in block at or after offset, or the length of the
// block if there is none. If offset is negative, it returns 0.
func recordStart(block []byte, offset int) int {
	if offset <= 0 {
		return 0
	}
	return offset + bytes.IndexByte(block[offset-1:], '\n')
}
