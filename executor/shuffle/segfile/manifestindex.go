package segfile

// markEvery bounds how many segments of a manifest are read to find one.
const markEvery = 256

// ManifestIndex finds segments in an encoded manifest without reading all of it: a reducer needs
// one segment of each of many map tasks.
type ManifestIndex struct {
	size, blockSize int64
	partitions      int
	marks           []manifestMark // of every markEvery-th segment from the first on, and of the end
}

type manifestMark struct {
	place  int32 // in the encoding
	offset int64 // in the file
}

// IndexManifest indexes what Manifest.AppendBinary wrote. For any other bytes it fails with
// ErrCorrupt.
func IndexManifest(b []byte) (ManifestIndex, error) {
	d := manifestDecoder{rest: b}
	var m Manifest
	d.begin(&m)
	at, n := d.head(&m)
	x := ManifestIndex{size: m.Size, blockSize: m.BlockSize, partitions: int(n)}
	for i := int64(0); i < n && d.reason == ""; i++ {
		if i%markEvery == 0 {
			x.marks = append(x.marks, manifestMark{int32(len(b) - len(d.rest)), at})
		}
		at += d.segmentAt(&m, at).Length
	}
	d.end()
	x.marks = append(x.marks, manifestMark{place: int32(len(b))})
	return x, d.err()
}

// Partitions returns the number of segments, including empty ones.
func (x *ManifestIndex) Partitions() int { return x.partitions }

// Range returns the range of the encoding that Segment needs for a partition.
func (x *ManifestIndex) Range(partition int) (from, to int) {
	mark := partition / markEvery
	return int(x.marks[mark].place), int(x.marks[mark+1].place)
}

// Segment returns a partition's segment, read from the bytes of its Range. With other bytes it
// fails with ErrCorrupt or returns another segment.
func (x *ManifestIndex) Segment(encoded []byte, partition int) (Segment, error) {
	m := Manifest{Size: x.size, BlockSize: x.blockSize}
	d := manifestDecoder{rest: encoded}
	at := x.marks[partition/markEvery].offset
	for range partition % markEvery {
		at += d.segmentAt(&m, at).Length
	}
	s := d.segmentAt(&m, at)
	return s, d.err()
}
