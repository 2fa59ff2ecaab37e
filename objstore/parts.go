package objstore

// MaxParts is the highest number of upload parts that S3 allows.
const MaxParts = 10_000

// Sizes of upload parts, in bytes.
const (
	MinPartSize     = 5 << 20 // the least that S3 allows
	DefaultPartSize = 8 << 20
)

// PartSizes says how large the parts of an upload are. Each part is a request, which costs money
// and time, and occupies the writer's memory until it is sent. But small parts are sent early, so
// less is left to send when the object ends. So parts grow with the object.
type PartSizes struct {
	Least int64 // bytes, at least MinPartSize; 0 means DefaultPartSize
	Most  int64 // bytes; Least if that is more; objects beyond 1,200 times Most have even larger parts

	// Equal gives all parts except the last Most bytes, as Cloudflare's R2 requires. An object that
	// would need more than MaxParts of them can't be written.
	Equal bool
}

// A part has up to 1/partQuarter of the bytes before it. However many those are, it has at least
// 1/partGrowth of them, so that an object of 5 TiB, the largest that S3 allows, has at most
// MaxParts.
const (
	partQuarter = 4
	partGrowth  = 1200
)

// After returns the size in bytes of the part that follows the first bytes of an object.
func (p PartSizes) After(bytes int64) int64 {
	p = p.WithDefaults()
	if p.Equal {
		return p.Most
	}
	return max(p.Least, min(bytes/partQuarter, p.Most), bytes/partGrowth)
}

// Count returns the number of parts in which an object of this size is uploaded, at least 1.
func (p PartSizes) Count(bytes int64) (n int64) {
	for offset := int64(0); offset < bytes || n == 0; n++ {
		offset += p.After(offset)
	}
	return n
}

// WithDefaults replaces a Least of 0, and raises Most to at least Least.
func (p PartSizes) WithDefaults() PartSizes {
	if p.Least == 0 {
		p.Least = DefaultPartSize
	}
	p.Most = max(p.Most, p.Least)
	return p
}
